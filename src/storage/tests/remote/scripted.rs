//! A listener that says what it is told, one line of its script for each connection.
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// What happens on one connection, after its request has come.
pub(crate) enum Script {
    /// This is said, then the connection is closed.
    Say(String),
    /// This is said, and the connection stays.
    SayAndWait(String),
    /// Nothing is said, and the connection stays.
    Silent,
}

/// The address of a listener that follows the script.
pub(crate) fn scripted(script: Vec<Script>) -> String {
    scripted_and_heard(script).0
}

/// The same; the other end tells each request when it has come.
pub(crate) fn scripted_and_heard(script: Vec<Script>) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for step in script {
            let Ok((mut stream, _)) = listener.accept() else { return };
            // Nobody may listen any more.
            let _ = tell.send(request(&mut stream));
            match step {
                Script::Say(text) => {
                    // Else the next request may go out on a connection that is about to end.
                    let text = text.replacen("\r\n", "\r\nConnection: close\r\n", 1);
                    let _ = stream.write_all(text.as_bytes());
                }
                Script::SayAndWait(text) => {
                    let _ = stream.write_all(text.as_bytes());
                    kept.push(stream);
                }
                Script::Silent => kept.push(stream),
            }
        }
    });
    (address, heard)
}

/// The whole request: unread bytes would make of a closed connection a broken one.
fn request(stream: &mut TcpStream) -> String {
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let said = String::from_utf8_lossy(&text).to_ascii_lowercase();
        if let Some((head, body)) = said.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
                return String::from_utf8_lossy(&text).into_owned();
            }
        }
        match stream.read(&mut piece) {
            Ok(n) if n > 0 => text.extend_from_slice(&piece[..n]),
            _ => return String::from_utf8_lossy(&text).into_owned(),
        }
    }
}
