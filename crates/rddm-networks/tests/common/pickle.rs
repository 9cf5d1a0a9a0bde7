//! The pickle of a PyTorch state dict, by hand.

/// A dictionary of one tensor of 32-bit floats whose storage is the archive's `data/0`, of one number.
pub(crate) fn state_dict(name: &str, shape: &[u32], strides: &[u32]) -> Vec<u8> {
    let mut out = vec![0x80, 2, b'}'];
    text(&mut out, name);
    out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n(");
    out.push(b'(');
    text(&mut out, "storage");
    out.extend(b"ctorch\nFloatStorage\n");
    text(&mut out, "0");
    text(&mut out, "cpu");
    number(&mut out, 1);
    out.extend(b"tQ"); // the storage, by its persistent id
    number(&mut out, 0);
    for numbers in [shape, strides] {
        out.push(b'(');
        numbers.iter().for_each(|&value| number(&mut out, value));
        out.push(b't');
    }
    out.push(0x89); // requires no gradient
    out.extend(b"ccollections\nOrderedDict\n)R");
    out.extend(b"tRs.");
    out
}

fn text(out: &mut Vec<u8>, value: &str) {
    out.push(b'X');
    out.extend((value.len() as u32).to_le_bytes());
    out.extend(value.as_bytes());
}

fn number(out: &mut Vec<u8>, value: u32) {
    out.push(b'J');
    out.extend(value.to_le_bytes());
}
