//! Requests as values: path, query and form body, encoded the way Proxmox takes them.

use std::fmt::{self, Write as _};

use api_transport::{Bytes, Method, Request};
use zeroize::Zeroizing;

use crate::error::Error;

/// Everything the API offers is below this path.
const API: &str = "/api2/json";

/// Proxmox refuses larger bodies with an unclear 501.
const MAX_BODY: usize = 512 * 1024;

/// A call to make. `Debug` shows no parameters: a login has the password among them.
#[derive(Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    query: String,
    form: Zeroizing<String>,
    repeatable: bool,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

impl Call {
    /// A read, which may be repeated.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path).repeatable()
    }

    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: String::new(),
            form: Zeroizing::default(),
            repeatable: false,
        }
    }

    /// Declares that making it twice is as good as once.
    pub(crate) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    pub(crate) fn query(mut self, key: &str, value: impl AsRef<str>) -> Self {
        append(&mut self.query, key, value.as_ref());
        self
    }

    pub(crate) fn query_opt(self, key: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.query(key, value),
            None => self,
        }
    }

    /// A form parameter. Booleans must be `1` or `0`; lists repeat the key.
    pub(crate) fn param(mut self, key: &str, value: impl AsRef<str>) -> Self {
        append(&mut self.form, key, value.as_ref());
        self
    }

    pub(crate) fn param_opt(self, key: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.param(key, value),
            None => self,
        }
    }

    pub(crate) fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    pub(crate) fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// Refuses what Proxmox would refuse less clearly.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.form.len() > MAX_BODY {
            return Err(Error::input(
                "parameters are longer than Proxmox's limit of 512 KiB",
            ));
        }
        Ok(())
    }

    /// Method and path, for messages. Parameters stay out: they may be long.
    pub(crate) fn label(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(crate) fn to_request(&self) -> Request {
        let separator = if self.query.is_empty() { "" } else { "?" };
        let path = format!("{API}{}{separator}{}", self.path, self.query);
        let request = Request::new(self.method.clone(), path);
        // A body on GET or DELETE is answered with 501.
        if matches!(self.method, Method::POST | Method::PUT) {
            let form = Zeroizing::new(self.form.as_bytes().to_vec());
            request.body("application/x-www-form-urlencoded", Bytes::from_owner(form))
        } else {
            request
        }
    }
}

/// `/nodes/NODE` and what follows.
pub(crate) fn node_path(node: &str, rest: &str) -> Result<String, Error> {
    Ok(format!("/nodes/{}{rest}", segment(node)?))
}

/// `/nodes/NODE/qemu/VMID` and what follows.
pub(crate) fn vm_path(node: &str, vmid: u32, rest: &str) -> Result<String, Error> {
    node_path(node, &format!("/qemu/{vmid}{rest}"))
}

/// One path segment, percent-encoded. What would change the path's meaning is refused.
pub(crate) fn segment(text: &str) -> Result<String, Error> {
    if text.is_empty() || text == "." || text == ".." {
        return Err(Error::input(
            "a name that is part of the path is empty or dots",
        ));
    }
    let mut out = String::with_capacity(text.len());
    encode(&mut out, text);
    Ok(out)
}

fn append(form: &mut String, key: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    encode(form, key);
    form.push('=');
    encode(form, value);
}

fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding() {
        let call = Call::put("/x")
            .param("map", "node=a,id=1:2")
            .param("map", "ü b&c")
            .query("a", "/");
        assert_eq!(*call.form, "map=node%3Da%2Cid%3D1%3A2&map=%C3%BC%20b%26c");
        assert_eq!(call.to_request().path, "/api2/json/x?a=%2F");
        assert_eq!(call.label(), "PUT /x");
    }

    #[test]
    fn names_cannot_leave_their_place() {
        for bad in ["", ".", ".."] {
            assert!(vm_path(bad, 100, "/config").is_err(), "{bad}");
        }
        assert_eq!(
            vm_path("a/../b?c", 100, "").unwrap(),
            "/nodes/a%2F..%2Fb%3Fc/qemu/100"
        );
    }

    #[test]
    fn too_large_is_not_sent() {
        let call = Call::put("/x").param("description", "x".repeat(600_000));
        assert!(call.check().is_err());
    }
}
