//! CEL expressions that select disks: whether they are boolean expressions over what Talos tells of a disk.
//!
//! What this check is not sure of it takes for right: refusing what omnictl accepts would be worse.

mod parse;
mod types;

/// As many as CEL tells of.
const MOST_PROBLEMS: usize = 100;

/// What is wrong with an expression, and at which character (from 1).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub at: usize,
    pub message: String,
    /// In omnictl's words, where they are known.
    pub said: Option<String>,
}

/// Checks a disk selector: the first problem, and what omnictl says of all.
pub(super) fn check(text: &str) -> Option<(Problem, String)> {
    let expression = match parse::parse(text) {
        Ok(expression) => expression,
        Err(parse::Stop::Wrong(problem)) => {
            let said = format!("character {}: {}", problem.at, problem.message);
            return Some((problem, said));
        }
        Err(parse::Stop::Unsure) => return None,
    };
    let mut check = types::Check::default();
    let kind = check.of(&expression);
    if check.problems.is_empty() && !matches!(kind, types::Type::Bool | types::Type::Unsure) {
        let problem = Problem {
            at: 1,
            message: format!("the expression is {}, not true or false", kind.name()),
            said: None,
        };
        let said = format!("expression output type is {}, expected bool", kind.said());
        return Some((problem, said));
    }
    check.problems.sort_by_key(|problem| problem.at);
    let shown = check.problems.iter().take(MOST_PROBLEMS);
    let mut said: Vec<String> = shown.map(|problem| pointed_at(text, problem)).collect();
    if check.problems.len() > MOST_PROBLEMS {
        let more = check.problems.len() - MOST_PROBLEMS;
        said.push(format!("{more} more errors were truncated"));
    }
    let first = check.problems.into_iter().next()?;
    Some((first, said.join("\n")))
}

/// A problem with the line and a mark below it.
fn pointed_at(text: &str, problem: &Problem) -> String {
    let before: String = text.chars().take(problem.at.saturating_sub(1)).collect();
    let number = before.matches('\n').count();
    let column = before.chars().rev().take_while(|c| *c != '\n').count();
    let line = text.split('\n').nth(number).unwrap_or_default();
    let said = problem.said.as_deref().unwrap_or(&problem.message);
    let (number, dots) = (number + 1, ".".repeat(column));
    format!(
        "ERROR: <input>:{number}:{}: {said}\n | {line}\n | {dots}^",
        column + 1
    )
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn long_expressions_are_judged_or_left_alone() {
        let logical = format!("disk.cdrom{}", " && disk.rotational".repeat(5000));
        assert_eq!(check(&logical), None);
        let wrong = format!("{logical} && disk.size || disk.size");
        let (problem, said) = check(&wrong).unwrap();
        assert_eq!(problem.message, "`&&` needs true or false, not a uint");
        assert_eq!(said.lines().count(), 6);
        let said = check(&format!("{}true", "disk.size && ".repeat(150)));
        let said = said.map(|(_, said)| said).unwrap_or_default();
        assert!(said.ends_with("\n50 more errors were truncated"), "{said}");
        for deep in [
            format!("1{} == 'a'", "+1".repeat(40_000)),
            format!("disk{}", "[0]".repeat(30_000)),
            format!("disk{}", ".a".repeat(40_000)),
            "(".repeat(90_000),
            "!".repeat(90_000),
        ] {
            assert_eq!(check(&deep), None);
        }
        let (problem, _) = check(&"!".repeat(100_001)).unwrap();
        assert_eq!(
            problem.message,
            "the expression has more than 100000 characters"
        );
    }

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
                "disk.model.lowerAscii() == 'x'",
                22,
                "there is no function `lowerAscii`",
            ),
            (
                "disk.model == 5",
                12,
                "a string and an int do not go with `==`",
            ),
            ("!disk.model", 1, "a string does not go with `!`"),
            ("'a", 1, "this text has no end"),
            (
                "disk.model && true",
                5,
                "`&&` needs true or false, not a string",
            ),
            (
                "disk.model.startsWith(1)",
                22,
                "`startsWith` does not take a string and an int",
            ),
        ] {
            let problem = check(bad);
            let found = problem
                .as_ref()
                .map(|(found, _)| (found.at, found.message.as_str()));
            assert_eq!(found, Some((at, message)), "{bad}");
        }
    }
}
