//! File systems on which changes go unreported.

use camino::Utf8Path;

/// Returns the name of the file system of a folder, if changes that another
/// machine or the other side of a mount makes there are not reported.
#[cfg(target_os = "linux")]
pub(crate) fn without_events(folder: &Utf8Path) -> Option<&'static str> {
    let stat = rustix::fs::statfs(folder.as_std_path()).ok()?;
    // The values are 32 bits wide; how they are stored depends on the platform.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "32 bits count")]
    name_of_magic(stat.f_type as u32)
}

/// Elsewhere notify picks what works.
#[cfg(not(target_os = "linux"))]
pub(crate) fn without_events(_folder: &Utf8Path) -> Option<&'static str> {
    None
}

/// The numbers of linux/magic.h and of the file systems' own sources.
#[cfg(target_os = "linux")]
fn name_of_magic(magic: u32) -> Option<&'static str> {
    match magic {
        0x0000_6969 => Some("NFS"),
        // sshfs, rclone, gocryptfs, NTFS-3G, virtiofs, Docker Desktop.
        0x6573_5546 => Some("FUSE"),
        // WSL's view of Windows drives, QEMU and gVisor shares.
        0x0102_1997 => Some("9p"),
        0x0000_517B | 0xFF53_4D42 | 0xFE53_4D42 => Some("SMB"),
        0x00C3_6400 => Some("Ceph"),
        0x0BD0_0BD0 => Some("Lustre"),
        0x4750_4653 => Some("GPFS"),
        0x5346_414F => Some("AFS"),
        0x7375_7245 => Some("Coda"),
        0x786F_4256 => Some("VirtualBox"),
        _ => None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn local_folders_have_events() {
        assert_eq!(without_events(Utf8Path::new("/proc")), None);
    }

    #[test]
    fn network_file_systems_are_known_by_their_magic() {
        assert_eq!(name_of_magic(0x6969), Some("NFS"));
        assert_eq!(name_of_magic(0xFE53_4D42), Some("SMB"));
        assert_eq!(name_of_magic(0xEF53), None, "ext4");
    }
}
