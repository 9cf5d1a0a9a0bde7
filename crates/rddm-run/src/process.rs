//! What the system says of this process. Nothing, where it is not Linux.

/// Bytes in memory now.
pub(crate) fn resident() -> Option<u64> {
    memory("VmRSS:")
}

/// The most bytes that were in memory so far.
pub(crate) fn peak() -> Option<u64> {
    memory("VmHWM:")
}

fn memory(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Seconds of processor time that all threads took so far.
pub(crate) fn processor_seconds() -> Option<f64> {
    // Linux tells it in hundredths on every machine, whatever its clock.
    const TICK: f64 = 0.01;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some((user + system) as f64 * TICK)
}
