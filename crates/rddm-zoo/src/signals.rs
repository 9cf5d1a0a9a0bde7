/// Keeps ignored what the process was started to ignore, as `nohup` has it: a handler that is installed later is not called for it.
/// Threads that are already there are not told. On other systems than Linux it does nothing.
pub fn keep_ignored_signals() {
    #[cfg(target_os = "linux")]
    {
        use nix::sys::signal::{SigSet, Signal};
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        let is_ignored = |signal: &Signal| mask >> (*signal as u32 - 1) & 1 == 1;
        let ends = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];
        // Blocked, since no safe function ignores one.
        let _ = ends.into_iter().filter(is_ignored).collect::<SigSet>().thread_block();
    }
}
