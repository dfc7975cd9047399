//! One file over HTTP: into `.NAME.part` beside its place, from where a cut download goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use super::{MAX_FILE, Pulling};
use crate::{Error, Result};

/// How long a server may send nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How often in a row a server may end the connection without having sent anything.
const ATTEMPTS: usize = 4;
/// How often a server may end the connection in all.
const CUTS: usize = 100;

/// A download into a temporary file.
pub(super) struct Download {
    url: String,
    path: PathBuf,
    part: PathBuf,
    /// What the server said of the version of the file, so that another version is not joined to it.
    tag: PathBuf,
    file: File,
}

/// How an attempt ended.
enum Attempt {
    Complete,
    /// The connection ended early, for this reason.
    Cut(String),
}

impl Download {
    /// Opens the temporary file for `path`, or the one that an earlier attempt left.
    pub fn open(path: &Path, url: &str) -> Result<Self> {
        let beside = |ending: &str| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!(".{name}.{ending}"))
        };
        let part = beside("part");
        let open = || {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&part)?;
            match file.try_lock() {
                Ok(()) => Ok(file),
                Err(std::fs::TryLockError::WouldBlock) => {
                    Err(io::Error::other("another process is downloading it"))
                }
                Err(std::fs::TryLockError::Error(error)) => Err(error),
            }
        };
        let file = open().map_err(|e| Error::write(path, e))?;
        Ok(Download { url: url.into(), path: path.into(), tag: beside("part.tag"), part, file })
    }

    /// Downloads what is missing, and returns the content of the file.
    /// A server that sends nothing for `patience` counts as gone.
    pub fn run(&mut self, patience: Duration, progress: &mut dyn FnMut(&Pulling) -> bool) -> Result<Vec<u8>> {
        let agent = agent(&self.url, patience);
        let (mut in_vain, mut cuts) = (0, 0);
        loop {
            let before = self.length()?;
            match self.attempt(&agent, progress)? {
                Attempt::Complete => return self.content(),
                Attempt::Cut(reason) => {
                    in_vain = if self.length()? > before { 0 } else { in_vain + 1 };
                    cuts += 1;
                    if in_vain == ATTEMPTS || cuts == CUTS {
                        return Err(Error::download(&self.url, reason));
                    }
                    std::thread::sleep(Duration::from_millis(200 * in_vain as u64));
                }
            }
        }
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<()> {
        let done = || {
            self.file.sync_all()?;
            std::fs::rename(&self.part, &self.path)
        };
        done().map_err(|e| Error::write(&self.path, e))?;
        let _ = std::fs::remove_file(&self.tag); // it is of no use any more, and does no harm
        Ok(())
    }

    /// Throws the bytes away.
    pub fn discard(self) -> Result<()> {
        let _ = std::fs::remove_file(&self.tag);
        std::fs::remove_file(&self.part).map_err(|e| Error::write(&self.path, e))
    }

    fn attempt(&mut self, agent: &Agent, progress: &mut dyn FnMut(&Pulling) -> bool) -> Result<Attempt> {
        let have = self.length()?;
        let tag = std::fs::read_to_string(&self.tag).unwrap_or_default();
        let mut request = agent.get(&self.url);
        if have > 0 && !tag.is_empty() {
            // With If-Range, a server that has another version by now sends the whole file.
            request = request.header(header::RANGE, format!("bytes={have}-")).header(header::IF_RANGE, &tag);
        }
        let response = match request.call() {
            Ok(response) => response,
            Err(error) => return self.refused(error),
        };
        let from = match response.status() {
            StatusCode::PARTIAL_CONTENT => match first_byte(&response) {
                Some(first) if first == have => have,
                _ => return Err(Error::download(&self.url, "the server sends another part of the file")),
            },
            _ => self.restart(&response)?,
        };
        self.receive(response, from, progress)
    }

    /// What an error of the connection means for the next attempt.
    fn refused(&mut self, error: ureq::Error) -> Result<Attempt> {
        match error {
            // The part that is there is longer than the file.
            ureq::Error::StatusCode(416) => {
                self.truncate()?;
                Ok(Attempt::Cut("the server has another version of the file".into()))
            }
            ureq::Error::StatusCode(status @ (429 | 500..)) => {
                Ok(Attempt::Cut(format!("the server answers with status {status}")))
            }
            ureq::Error::StatusCode(404) => Err(Error::download(&self.url, "the server has no such file")),
            ureq::Error::StatusCode(status) => {
                Err(Error::download(&self.url, format!("the server answers with status {status}")))
            }
            ureq::Error::HostNotFound => {
                Err(Error::download(&self.url, "there is no such host, or no network"))
            }
            ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed => {
                Ok(Attempt::Cut(words(&error)))
            }
            error => Err(Error::download(&self.url, words(&error))),
        }
    }

    /// Begins with the first byte, and keeps the version of the file.
    fn restart(&mut self, response: &Response<Body>) -> Result<u64> {
        self.truncate()?;
        let value = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        // A weak tag does not promise the same bytes.
        let tag = value(header::ETAG).filter(|tag| !tag.starts_with("W/")).or(value(header::LAST_MODIFIED));
        std::fs::write(&self.tag, tag.unwrap_or_default()).map_err(|e| Error::write(&self.path, e))?;
        Ok(0)
    }

    fn receive(
        &mut self,
        mut response: Response<Body>,
        from: u64,
        progress: &mut dyn FnMut(&Pulling) -> bool,
    ) -> Result<Attempt> {
        let total = response.body().content_length().map(|length| from.saturating_add(length));
        if total.is_some_and(|total| total > MAX_FILE) {
            return Err(Error::download(&self.url, "it is far larger than any network of Cellpose"));
        }
        let mut pulling = Pulling { url: self.url.clone(), done: from, total };
        let mut reader = response.body_mut().with_config().limit(MAX_FILE).reader();
        let mut buffer = vec![0; 1 << 16];
        let mut told: Option<Instant> = None;
        loop {
            if told.is_none_or(|told| told.elapsed() > Duration::from_millis(100)) {
                told = Some(Instant::now());
                if !progress(&pulling) {
                    return Err(Error::Cancelled);
                }
            }
            let length = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Ok(Attempt::Cut("the server sent nothing for too long".into()));
                }
                Err(_) => return Ok(Attempt::Cut(cut_after(pulling.done))),
            };
            self.file.write_all(&buffer[..length]).map_err(|e| Error::write(&self.path, e))?;
            pulling.done += length as u64;
        }
        if total.is_some_and(|total| pulling.done < total) {
            return Ok(Attempt::Cut(cut_after(pulling.done)));
        }
        progress(&pulling);
        Ok(Attempt::Complete)
    }

    fn length(&mut self) -> Result<u64> {
        self.file.seek(SeekFrom::End(0)).map_err(|e| Error::write(&self.path, e))
    }

    fn truncate(&mut self) -> Result<()> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|e| Error::write(&self.path, e))
    }

    fn content(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.file.rewind().and_then(|()| self.file.read_to_end(&mut bytes));
        read.map_err(|e| Error::read(&self.path, e))?;
        Ok(bytes)
    }
}

fn agent(url: &str, patience: Duration) -> Agent {
    Agent::config_builder()
        .user_agent(concat!("flowmask/", env!("CARGO_PKG_VERSION")))
        // An address with TLS must not lead to one without.
        .https_only(url.starts_with("https:"))
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .build()
        .into()
}

/// The place of the first byte, from `Content-Range: bytes 100-199/200`.
fn first_byte(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

fn cut_after(bytes: u64) -> String {
    format!("the connection was cut after {bytes} bytes")
}

fn words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "the server sent nothing for too long".into(),
        ureq::Error::ConnectionFailed => "no connection".into(),
        ureq::Error::TooManyRedirects => "the server sends from one address to the next without end".into(),
        ureq::Error::RequireHttpsOnly(_) => "the server leads to an address without TLS".into(),
        ureq::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}
