//! CEL expressions that select disks: whether they are boolean expressions over what Talos tells of a disk.
//!
//! What this check is not sure of it takes for right: refusing what omnictl accepts would be worse.

mod parse;
mod types;

/// What is wrong with an expression, and at which character (from 1).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub at: usize,
    pub message: String,
}

/// Checks a disk selector.
pub(super) fn check(text: &str) -> Option<Problem> {
    let expression = match parse::parse(text) {
        Ok(expression) => expression,
        Err(parse::Stop::Wrong(problem)) => return Some(problem),
        Err(parse::Stop::Unsure) => return None,
    };
    match types::of(&expression) {
        Err(problem) => Some(problem),
        Ok(types::Type::Bool | types::Type::Unsure) => None,
        Ok(other) => Some(Problem {
            at: 1,
            message: format!("the expression is {}, not true or false", other.name()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn selectors_are_boolean_expressions_over_a_disk() {
        for good in [
            "system_disk",
            "!system_disk && disk.transport == 'nvme'",
            "disk.size > 10u * GiB",
            "disk.size >= 100u*GB && disk.size <= 2u * TB || disk.rotational",
            "disk.transport in [\"nvme\", \"sata\"]",
            "\"/dev/disk/by-id/x\" in disk.symlinks",
            "disk.symlinks.exists(link, link.startsWith('/dev/'))",
            "glob(\"/dev/sd*\", disk.dev_path) ? true : disk.serial.matches('^S')",
            "size(disk.model) > 3 && disk.model.size() > 3 && disk.model.contains('x')",
            "has(disk.wwid) && disk.wwid != \"\" // the end",
            "int(disk.size) > 5 && r\"a\\d\" == 'a' && -1 < 0x10 && 1.5e3 > .5",
            "dyn(disk.size) > 5",
        ] {
            assert_eq!(check(good), None, "{good}");
        }
        for (bad, at, message) in [
            (
                "disk.size",
                1,
                "the expression is a uint, not true or false",
            ),
            ("disk.size > 10", 11, "a uint and an int do not go with `>`"),
            (
                "disk.size > 10 * GiB",
                16,
                "an int and a uint do not go with `*`",
            ),
            (
                "disk.sise == 1u",
                5,
                "a disk has no field `sise`; did you mean `size`?",
            ),
            (
                "foo",
                1,
                "there is no `foo` here; known are disk, system_disk and units like GiB",
            ),
            ("disk.size > ", 13, "the expression ends too early"),
            ("(true", 6, "the expression ends too early"),
            ("disk.size > 100GB", 16, "`GB` is not expected here"),
            (
                "disk.model == 5",
                12,
                "a string and an int do not go with `==`",
            ),
            ("!disk.model", 1, "`!` needs true or false, not a string"),
            ("'a", 1, "this text has no end"),
            (
                "disk.model && true",
                12,
                "a string and a bool do not go with `&&`",
            ),
            (
                "disk.model.startsWith(1)",
                11,
                "`startsWith` needs a string, not an int",
            ),
        ] {
            let problem = check(bad);
            let found = problem
                .as_ref()
                .map(|found| (found.at, found.message.as_str()));
            assert_eq!(found, Some((at, message)), "{bad}");
        }
    }
}
