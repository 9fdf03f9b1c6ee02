//! The store's calls on a disk in memory.

use std::io::{self, Cursor, Read, Write};
use std::path::PathBuf;

use super::MemoryDisk;
use super::state::{IS_A_FOLDER, Need};
use super::tree::{Change, Inode};
use crate::store::disk::{Disk, Entry, Held, NewFile, damage};

impl Disk for MemoryDisk {
    fn read(&self, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let state = self.state();
        state.alive()?;
        let Some(file) = state.seek(path).map_err(damage)? else { return Ok(None) };
        let bytes = state.read_file(file).map_err(damage)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than it may be"));
        }
        Ok(Some(bytes.to_vec()))
    }

    fn open_at(&self, path: &str, from: u64) -> io::Result<Box<dyn Read + Send>> {
        let state = self.state();
        state.alive()?;
        let file = state.find(path)?.ok_or(io::ErrorKind::NotFound)?;
        let mut file = Cursor::new(state.read_file(file)?.to_vec());
        file.set_position(from);
        Ok(Box::new(file))
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        let state = self.state();
        state.alive()?;
        let file = state.seek(path)?.and_then(|inode| state.now.file(inode));
        Ok(file.map(|bytes| bytes.len() as u64))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<Entry>> {
        let state = self.state();
        state.alive()?;
        let names = state.seek(folder)?.and_then(|inode| state.now.folder(inode));
        let entry = |(name, inode): (&String, &Inode)| Entry {
            name: name.clone(),
            folder: state.now.folder(*inode).is_some(),
        };
        Ok(names.into_iter().flatten().map(entry).collect())
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for folder in ends.filter_map(|end| path.get(..end)) {
            match state.find(folder)? {
                Some(inode) if state.now.folder(inode).is_some() => continue,
                Some(_) => return Err(io::ErrorKind::AlreadyExists.into()),
                None => {}
            }
            state.whole_change(format!("create folder {folder}"), Need::Room)?;
            let inode = state.new_inode();
            state.link(folder, inode, true)?;
        }
        Ok(())
    }

    fn create(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        let mut state = self.state();
        state.alive()?;
        let file = state.create(path)?;
        if state.now.file(file).is_some_and(|bytes| !bytes.is_empty()) {
            state.whole_change(format!("empty {path}"), Need::Room)?;
            state.apply(Change::Empty { file });
        }
        drop(state);
        Ok(Box::new(Writer { disk: self.clone(), path: path.to_owned(), file, at: 0 }))
    }

    fn overwrite(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        let mut state = self.state();
        state.alive()?;
        let file = state.create(path)?;
        drop(state);
        Ok(Box::new(Writer { disk: self.clone(), path: path.to_owned(), file, at: 0 }))
    }

    fn append(&self, path: &str) -> io::Result<Box<dyn NewFile>> {
        let mut state = self.state();
        state.alive()?;
        let file = state.create(path)?;
        let at = state.now.file(file).map_or(0, |content| content.len());
        drop(state);
        Ok(Box::new(Writer { disk: self.clone(), path: path.to_owned(), file, at }))
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.whole_change(format!("sync folder {path}"), Need::Nothing)?;
        let folder = state.find(path)?.filter(|inode| state.now.folder(*inode).is_some());
        let folder = folder.ok_or(io::ErrorKind::NotFound)?;
        state.settle(|change| change.folder() == Some(folder));
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        let inode = state.find(from)?.ok_or(io::ErrorKind::NotFound)?;
        state.now.place(to)?;
        let is_folder = state.now.folder(inode).is_some();
        match state.find(to)? {
            Some(_) if is_folder => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
            Some(other) if state.now.folder(other).is_some() => {
                return Err(io::Error::from_raw_os_error(IS_A_FOLDER));
            }
            _ => {}
        }
        state.whole_change(format!("rename {from} {to}"), Need::Room)?;
        let link = state.link(to, inode, is_folder)?;
        state.unlink(from, Some(link))
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        state.remove(path)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        let mut state = self.state();
        state.alive()?;
        state.remove(path)
    }

    fn lock(&self, path: &str, exclusive: bool) -> io::Result<Option<Box<dyn Held>>> {
        let mut state = self.state();
        state.alive()?;
        let file = match state.find(path)? {
            Some(there) => there,
            None => state.create(path)?,
        };
        match state.contended.get_mut(path) {
            Some((0, 0)) | None => {}
            Some((0, refused)) => {
                *refused -= 1;
                return Ok(None);
            }
            Some((granted, _)) => *granted -= 1,
        }
        let holders = state.locks.entry(file).or_default();
        if holders.iter().any(|held| *held || exclusive) {
            return Ok(None);
        }
        holders.push(exclusive);
        drop(state);
        Ok(Some(Box::new(Lock { disk: self.clone(), file, exclusive })))
    }

    fn free(&self) -> io::Result<u64> {
        let state = self.state();
        state.alive()?;
        Ok(state.capacity.saturating_sub(state.now.bytes()))
    }

    fn full_path(&self, path: &str) -> PathBuf {
        PathBuf::from("/memory").join(path)
    }
}

/// Writes a file from some position on.
struct Writer {
    disk: MemoryDisk,
    path: String,
    file: Inode,
    at: usize,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let length = state.now.file(self.file).map_or(0, |content| content.len());
        let more = (self.at + bytes.len()).saturating_sub(length);
        let need = if more > 0 { Need::Room } else { Need::Nothing };
        let torn = state.change(format!("write {}", self.path), need)?;
        if more > 0 && state.now.bytes().saturating_add(more as u64) > state.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let change = Change::Write { file: self.file, at: self.at, bytes: bytes.to_vec() };
        state.apply(if torn { change.torn() } else { change });
        self.at += bytes.len();
        if torn { Err(io::Error::other("killed")) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for Writer {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        // Some file systems look for room only now.
        let grows = |change: &Change| match change {
            Change::Write { file, at, bytes } => {
                let medium = state.medium.file(*file).map_or(0, |content| content.len());
                *file == self.file && at + bytes.len() > medium
            }
            _ => false,
        };
        let grows = state.pending.iter().any(|(_, change)| grows(change));
        let need = if grows { Need::Room } else { Need::Nothing };
        state.whole_change(format!("sync {}", self.path), need)?;
        state.settle(|change| change.file() == Some(self.file));
        Ok(())
    }
}

struct Lock {
    disk: MemoryDisk,
    file: Inode,
    exclusive: bool,
}

impl Held for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(holders) = self.disk.state().locks.get_mut(&self.file)
            && let Some(at) = holders.iter().position(|held| *held == self.exclusive)
        {
            holders.swap_remove(at);
        }
    }
}
