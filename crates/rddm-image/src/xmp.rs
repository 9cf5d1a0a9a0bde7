//! XMP packets, as far as adding properties to one needs them.

const END: &str = "</rdf:RDF>";
const EMPTY: &str = "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
    <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n\
    <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n\
    </rdf:RDF>\n\
    </x:xmpmeta>\n\
    <?xpacket end=\"w\"?>";

/// The packet with properties; nothing where they can't be added to it.
pub(crate) fn add(
    packet: Option<&[u8]>,
    prefix: &str,
    uri: &str,
    properties: &[(&str, &str)],
) -> Option<Vec<u8>> {
    let present =
        packet.and_then(|bytes| std::str::from_utf8(bytes).ok()).filter(|text| text.contains(END));
    if present.is_none() && packet.is_some_and(is_rdf) {
        return None;
    }
    let uri = escaped(uri);
    let begin = format!("<rdf:Description rdf:about=\"\" xmlns:{prefix}=\"{uri}\"");
    let text = without(present.unwrap_or(EMPTY), &begin);
    // Another program has put them among its own: a property that is there twice would make the packet unreadable.
    if text.contains(&format!("\"{uri}\"")) || text.contains(&format!("'{uri}'")) {
        return None;
    }
    let place = text.rfind(END).unwrap_or(text.len());
    let mut out = text[..place].to_owned();
    out.push_str(&begin);
    for (name, value) in properties {
        out.push_str(&format!("\n  {prefix}:{name}=\"{}\"", escaped(value)));
    }
    out.push_str("/>\n");
    out.push_str(&text[place..]);
    Some(out.into_bytes())
}

/// Whether a packet names the namespace of RDF, in UTF-8, UTF-16 or UTF-32: these differ by zeros alone.
fn is_rdf(packet: &[u8]) -> bool {
    const NAME: &[u8] = b"http://www.w3.org/1999/02/22-rdf-syntax-ns#";
    let letters: Vec<u8> = packet.iter().copied().filter(|&byte| byte != 0).collect();
    letters.windows(NAME.len()).any(|letters| letters == NAME)
}

/// The packet without the elements that begin so and hold nothing but attributes, which an earlier call has added.
fn without(packet: &str, begin: &str) -> String {
    let mut text = packet.to_owned();
    while let Some(start) = text.find(begin) {
        let mut quoted = false;
        let end = text[start..].char_indices().find(|&(_, letter)| {
            quoted ^= letter == '"';
            !quoted && letter == '>'
        });
        let Some(end) = end.map(|(at, _)| start + at).filter(|&end| text[..end].ends_with('/'))
        else {
            break;
        };
        let line = usize::from(text[end + 1..].starts_with('\n'));
        text.replace_range(start..end + 1 + line, "");
    }
    text
}

/// The packet as it is true of what is decoded: its orientation says that nothing is to be turned, it leads to no further segments,
/// which are not read, and has no smaller picture.
pub(crate) fn decoded(packet: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(packet) else { return packet.to_vec() };
    let mut text = text.to_owned();
    for (begin, end) in [
        ("xmpNote:HasExtendedXMP=\"", "\""),
        ("xmpNote:HasExtendedXMP='", "'"),
        ("<xmpNote:HasExtendedXMP>", "</xmpNote:HasExtendedXMP>"),
        ("<xmp:Thumbnails>", "</xmp:Thumbnails>"),
        ("<xap:Thumbnails>", "</xap:Thumbnails>"),
    ] {
        let Some(start) = text.find(begin) else { continue };
        if let Some(length) = text[start + begin.len()..].find(end) {
            text.replace_range(start..start + begin.len() + length + end.len(), "");
        }
    }
    for (before, after) in
        [("tiff:Orientation=\"", '"'), ("tiff:Orientation='", '\''), ("<tiff:Orientation>", '<')]
    {
        let Some(start) = text.find(before).map(|at| at + before.len()) else { continue };
        if let Some(length) = text[start..].find(after) {
            text.replace_range(start..start + length, "1");
        }
    }
    text.into_bytes()
}

/// The packet without the room that is kept before its end for programs that write into it.
pub(crate) fn without_padding(packet: &[u8]) -> Vec<u8> {
    const END: &[u8] = b"<?xpacket end=";
    let end = packet.windows(END.len()).rposition(|word| word == END);
    let (body, end) = packet.split_at(end.unwrap_or(packet.len()));
    [body.trim_ascii_end(), b"\n", end].concat()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            // XML allows no other control characters, and an attribute keeps no line breaks.
            _ if letter.is_control() => out.push(' '),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(packet: &[u8]) -> &str {
        std::str::from_utf8(packet).unwrap_or_default()
    }

    #[test]
    fn properties_are_there_once_however_often_they_are_added() {
        let theirs = format!(
            "{}<rdf:Description dc:x=\"a > b\"/>{END}",
            &EMPTY[..EMPTY.find(END).unwrap_or(0)]
        );
        let once = add(Some(theirs.as_bytes()), "p", "urn:p", &[("Model", "a/>b"), ("Seed", "1")]);
        let twice = add(once.as_deref(), "p", "urn:p", &[("Model", "c")]).unwrap_or_default();
        let found = text(&twice);
        assert_eq!(found.matches("p:Model").count(), 1, "{found}");
        assert!(found.contains("p:Model=\"c\"") && !found.contains("p:Seed"), "{found}");
        assert!(found.contains("dc:x=\"a > b\"") && found.ends_with(END), "{found}");
    }

    #[test]
    fn what_another_program_has_rewritten_stays() {
        let theirs =
            format!("<rdf:Description xmlns:p='urn:p'><p:Model>a</p:Model></rdf:Description>{END}");
        assert_eq!(add(Some(theirs.as_bytes()), "p", "urn:p", &[("Model", "b")]), None);
    }

    #[test]
    fn a_packet_of_another_form_stays_and_what_is_none_is_replaced() {
        let prefix = EMPTY.replace("rdf:", "r:").replace(":rdf", ":r");
        let wide = |bytes: fn(u16) -> [u8; 2]| EMPTY.encode_utf16().flat_map(bytes).collect();
        for theirs in [prefix.into_bytes(), wide(u16::to_le_bytes), wide(u16::to_be_bytes)] {
            assert_eq!(add(Some(&theirs), "p", "urn:p", &[("Model", "b")]), None);
        }
        for none in [&b"   "[..], b"<svg/>", &[0xff, 0xfe]] {
            let packet = add(Some(none), "p", "urn:p", &[("Model", "b")]).unwrap_or_default();
            assert!(text(&packet).contains("p:Model=\"b\""));
        }
    }

    #[test]
    fn what_holds_for_stored_pixels_alone_goes() {
        for packet in ["<a tiff:Orientation=\"6\"/>", "<tiff:Orientation>8</tiff:Orientation>"] {
            let upright = decoded(packet.as_bytes());
            assert!(text(&upright).contains('1') && !text(&upright).contains(['6', '8']));
        }
        let smaller = "<a><xmp:Thumbnails><rdf:Alt>base64</rdf:Alt></xmp:Thumbnails></a>";
        assert_eq!(text(&decoded(smaller.as_bytes())), "<a></a>");
    }
}
