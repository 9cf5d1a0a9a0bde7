//! XMP packets, as far as adding properties to one needs them.

const END: &str = "</rdf:RDF>";
const EMPTY: &str = "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
    <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n\
    <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n\
    </rdf:RDF>\n\
    </x:xmpmeta>\n\
    <?xpacket end=\"w\"?>";

pub(crate) fn add(
    packet: Option<&[u8]>,
    prefix: &str,
    uri: &str,
    properties: &[(&str, &str)],
) -> Vec<u8> {
    let present =
        packet.and_then(|bytes| std::str::from_utf8(bytes).ok()).filter(|text| text.contains(END));
    let text = present.unwrap_or(EMPTY);
    let place = text.rfind(END).unwrap_or(text.len());
    let mut out = text[..place].to_owned();
    out.push_str(&format!("<rdf:Description rdf:about=\"\" xmlns:{prefix}=\"{}\"", escaped(uri)));
    for (name, value) in properties {
        out.push_str(&format!("\n  {prefix}:{name}=\"{}\"", escaped(value)));
    }
    out.push_str("/>\n");
    out.push_str(&text[place..]);
    out.into_bytes()
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
