//! A server of files on this machine that behaves as badly as it is told.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "not every test takes each")]
pub enum Manner {
    Good,
    /// Sends the file in ten parts with this many milliseconds between them.
    Slow(u64),
    /// Ends each connection after this many bytes, and goes on where it is asked to.
    Cuts(usize),
    /// The same, but has another version of the file each time.
    Changes(usize),
    /// Ends each connection after this many bytes, and knows no ranges.
    Forgets(usize),
    /// Sends this many bytes, then nothing, and does not end the connection.
    Stalls(usize),
    /// Answers with this status.
    Status(u16),
    /// Sends another part than the one it is asked for.
    Shifts(usize),
    /// Leads from each address to the same one.
    Circles,
}

pub struct Server {
    pub address: String,
    /// The first line and the range of each request.
    pub requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves these files until the process ends.
    pub fn start(files: Vec<(&'static str, Vec<u8>)>, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that goes away is no error of the server.
                let _ = answer(stream.unwrap(), &files, manner, &log);
            }
        });
        Server { address, requests }
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    files: &[(&str, Vec<u8>)],
    manner: Manner,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let (mut range, mut version) = (None, None);
    for line in lines {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(from) = line.strip_prefix("range: bytes=") {
            range = from.trim_end_matches('-').parse::<usize>().ok();
        } else if let Some(tag) = line.strip_prefix("if-range: ") {
            version = Some(tag.to_owned());
        }
    }
    let count = {
        let mut log = log.lock().unwrap();
        log.push(format!("{first} {range:?}"));
        log.len()
    };
    let path = first.split(' ').nth(1).unwrap_or("");
    let file = files.iter().find(|(name, _)| path.ends_with(&format!("/{name}")));
    let Some((_, bytes)) = file else {
        return write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    match manner {
        Manner::Status(status) => {
            return write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n");
        }
        Manner::Circles => {
            return write!(stream, "HTTP/1.1 302 Found\r\nLocation: {path}\r\nContent-Length: 0\r\n\r\n");
        }
        _ => {}
    }
    let tag = match manner {
        Manner::Changes(_) => format!("\"version-{count}\""),
        _ => "\"version\"".into(),
    };
    let same = version.is_none_or(|version| version == tag);
    let from = match (range, manner) {
        (_, Manner::Forgets(_)) => 0,
        (Some(from), _) if same => from,
        _ => 0,
    };
    if from >= bytes.len() {
        return write!(stream, "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n");
    }
    let rest = &bytes[from..];
    if from > 0 {
        let from = if let Manner::Shifts(_) = manner { from + 1 } else { from };
        write!(
            stream,
            "HTTP/1.1 206 Part\r\nContent-Range: bytes {from}-{}/{}\r\n",
            bytes.len() - 1,
            bytes.len()
        )?;
    } else {
        write!(stream, "HTTP/1.1 200 OK\r\n")?;
    }
    write!(stream, "ETag: {tag}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", rest.len())?;
    match manner {
        Manner::Cuts(n) | Manner::Changes(n) | Manner::Forgets(n) | Manner::Shifts(n) => {
            stream.write_all(&rest[..n.min(rest.len())])
        }
        Manner::Stalls(n) => {
            stream.write_all(&rest[..n.min(rest.len())])?;
            std::thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Manner::Slow(pause) => rest.chunks(rest.len().div_ceil(10)).try_for_each(|part| {
            std::thread::sleep(Duration::from_millis(pause));
            stream.write_all(part)
        }),
        _ => stream.write_all(rest),
    }
}
