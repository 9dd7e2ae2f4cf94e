//! The little XML in which clouds tell what is wrong.

/// As much of a text as is told to people.
const MAX_TOLD: usize = 300;

/// The text of the first element of that name.
pub(in super::super) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(text.replace("&amp;", "&"))
}

/// The same as it may be told: in one line, and not for ever.
pub(in super::super) fn told(xml: &str, name: &str) -> Option<String> {
    let text = element(xml, name)?;
    Some(text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TOLD).collect())
}

#[cfg(test)]
mod tests {
    use super::{MAX_TOLD, element, told};

    #[test]
    fn elements_are_found_in_any_text() {
        let xml = "<Error><Code>A</Code><Message>b &lt;c&gt; &amp;lt;\n</Message><Region></Error>";
        assert_eq!(element(xml, "Message").as_deref(), Some("b <c> &lt;\n"));
        assert_eq!(told(xml, "Message").as_deref(), Some("b <c> &lt; "));
        assert_eq!(told(&format!("<A>{}</A>", "ä".repeat(999)), "A").unwrap().chars().count(), MAX_TOLD);
        assert_eq!((element(xml, "Region"), element(xml, "Key")), (None, None));
    }
}
