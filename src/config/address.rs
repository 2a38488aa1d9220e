//! Addresses to listen on, as they are written in the file, in the environment and on the command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Reads `127.0.0.1:4000`. A port alone, or with `localhost` in front, is one of this machine, which nobody else reaches. The
/// error says what to write.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let local = text.strip_prefix("localhost:").unwrap_or(text);
    if let Ok(port) = local.parse::<u16>() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let fix = match text.strip_prefix(':').or_else(|| text.strip_prefix("*:")) {
        Some(port) if port.parse::<u16>().is_ok() => {
            format!(
                "write 127.0.0.1:{port} for this machine alone, or 0.0.0.0:{port} for everybody who reaches it"
            )
        }
        _ if text.contains("://") => {
            "leave out the scheme and the path: write for example 127.0.0.1:4000".to_owned()
        }
        _ if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() => {
            "ports end at 65535".to_owned()
        }
        _ => match text.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => format!("the port is missing: write {}", SocketAddr::new(ip, 4000)),
            Err(_) => "write IP and port, for example 127.0.0.1:4000".to_owned(),
        },
    };
    Err(format!("`{text}` is not an address; {fix}"))
}

#[cfg(test)]
mod tests {
    use super::parse_address;

    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        for (text, expected) in [
            ("4000", "127.0.0.1:4000"),
            ("localhost:4000", "127.0.0.1:4000"),
            (" 0.0.0.0:1 ", "0.0.0.0:1"),
            ("[::1]:0", "[::1]:0"),
        ] {
            assert_eq!(
                parse_address(text)
                    .map(|found| found.to_string())
                    .as_deref(),
                Ok(expected)
            );
        }
    }

    #[test]
    fn what_is_no_address_is_told_how_to_be_one() {
        for (text, fix) in [
            (":4000", "0.0.0.0:4000"),
            ("0.0.0.0", "0.0.0.0:4000"),
            ("::1", "[::1]:4000"),
            ("http://127.0.0.1:4000/v1", "scheme"),
            ("70000", "65535"),
            ("example.com:4000", "127.0.0.1:4000"),
            ("", "127.0.0.1:4000"),
        ] {
            let message = parse_address(text).unwrap_err();
            assert!(message.contains(fix), "{text}: {message}");
        }
    }
}
