//! The files of the operating system.

use std::{
    fs::{self, OpenOptions},
    io::{self, IoSlice},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{File, FileSystem, lock};
use crate::error::Result;

/// The files of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemFiles;

impl FileSystem for SystemFiles {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn File>> {
        let file =
            OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)?;
        Ok(Arc::new(SystemFile(file)))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().into())).collect()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Where a directory cannot be opened like a file (Windows), the system keeps the entries of a file
    /// that is synced.
    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        #[cfg(unix)]
        fs::File::open(path)?.sync_all()?;
        #[cfg(not(unix))]
        let _ = path;
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Send + Sync>> {
        lock::lock(path)
    }

    /// Linux draws a number for each life of the machine. Elsewhere there is nothing that a change of
    /// the clock could not repeat.
    fn machine(&self) -> String {
        let drawn = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        drawn.map_or_else(|_| String::new(), |text| text.trim().to_owned())
    }
}

#[derive(Debug)]
struct SystemFile(fs::File);

impl File for SystemFile {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, position)
    }

    #[cfg(windows)]
    fn read_at(&self, mut buffer: &mut [u8], mut position: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.0, buffer, position) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buffer = &mut buffer[read..];
                    position += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_at(&self, slices: &[IoSlice<'_>], mut position: u64) -> io::Result<()> {
        let mut slices = slices.to_vec();
        let mut left = &mut slices[..];
        // What is empty would be taken for a write that made no progress.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match write_some(&self.0, left, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += written as u64;
                    IoSlice::advance_slices(&mut left, written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The most slices in one system call that every system allows.
#[cfg(target_os = "linux")]
const SLICES: usize = 1024;

#[cfg(target_os = "linux")]
fn write_some(file: &fs::File, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
    Ok(rustix::io::pwritev(file, &slices[..slices.len().min(SLICES)], position)?)
}

/// Without a vectored write at a position: one slice after the other.
#[cfg(all(unix, not(target_os = "linux")))]
fn write_some(file: &fs::File, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, &slices[0], position)
}

#[cfg(windows)]
fn write_some(file: &fs::File, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, &slices[0], position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_in_many_slices_is_read_in_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        assert_eq!(SystemFiles.open(&path, false).unwrap_err().kind(), io::ErrorKind::NotFound);
        let file = SystemFiles.open(&path, true).unwrap();
        let parts: Vec<[u8; 3]> = (0..3000u16).map(|n| [n as u8, (n >> 8) as u8, 7]).collect();
        let empty: &[u8] = &[];
        let slices: Vec<_> =
            parts.iter().flat_map(|part| [&part[..], empty]).map(IoSlice::new).collect();
        file.write_at(&slices, 2).unwrap();
        file.write_at(&[IoSlice::new(empty)], 2).unwrap();
        let mut read = vec![1; 9002];
        file.read_at(&mut read, 0).unwrap();
        assert_eq!(&read[..2], [0, 0]);
        assert_eq!(read[2..], parts.concat());
        assert_eq!(file.read_at(&mut read, 1).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        file.sync().unwrap();
        SystemFiles.sync_directory(directory.path()).unwrap();
        assert_eq!(SystemFiles.list(directory.path()).unwrap(), [PathBuf::from("file")]);
    }
}
