//! Which faces of a font file carry one of the wanted family names, read from the name tables alone.
//!
//! A full parse of a face reads its whole character map. A machine's font folder holds hundreds of faces of which
//! a handful is wanted, so the name table is looked at first. Source: OpenType 1.9.1, "OpenType font file" and "name".

/// Returns the index of every face in `file` whose name table holds one of `families`.
///
/// The names are looked for as bytes inside the table, so a face may be returned that only mentions the name;
/// the caller still compares the parsed family. A file that is not a font gives an empty list.
pub(crate) fn faces_named(file: &[u8], families: &[&str]) -> Vec<u32> {
    let encoded: Vec<Vec<u8>> = families
        .iter()
        .filter(|family| !family.is_empty())
        .flat_map(|family| {
            let utf16 = family.encode_utf16().flat_map(u16::to_be_bytes).collect();
            [utf16, family.as_bytes().to_vec()]
        })
        .collect();
    let holds = |table: &[u8]| {
        encoded
            .iter()
            .any(|name| table.windows(name.len()).any(|part| part == name.as_slice()))
    };
    (0u32..)
        .zip(face_offsets(file))
        .filter(|&(_, offset)| name_table(file, offset).is_some_and(holds))
        .map(|(index, _)| index)
        .collect()
}

/// Where each face's table directory starts: one for a single font, several for a collection.
fn face_offsets(file: &[u8]) -> Vec<usize> {
    if file.get(..4) != Some(b"ttcf") {
        return vec![0];
    }
    // No collection in use has more than some dozens of faces; a larger count is damage.
    let count = u32_at(file, 8).unwrap_or(0).min(256);
    (0..count).filter_map(|n| u32_at(file, 12 + 4 * n)).collect()
}

/// The name table of the face whose table directory starts at `offset`.
fn name_table(file: &[u8], offset: usize) -> Option<&[u8]> {
    let count = u16::from_be_bytes(file.get(offset + 4..offset + 6)?.try_into().ok()?);
    let record = (0..usize::from(count))
        .map(|n| offset + 12 + 16 * n)
        .find(|&at| file.get(at..at + 4) == Some(b"name"))?;
    let (start, length) = (u32_at(file, record + 8)?, u32_at(file, record + 12)?);
    file.get(start..start.checked_add(length)?)
}

fn u32_at(file: &[u8], at: usize) -> Option<usize> {
    let bytes = file.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one table directory entry, `name`, that holds the text in UTF-16.
    fn font(family: &str) -> Vec<u8> {
        let name: Vec<u8> = family.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut file = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        file.extend_from_slice(b"name\0\0\0\0");
        file.extend_from_slice(&28u32.to_be_bytes());
        file.extend_from_slice(&(name.len() as u32).to_be_bytes());
        file.extend_from_slice(&name);
        file
    }

    #[test]
    fn finds_the_name_in_its_table() {
        assert_eq!(faces_named(&font("Noto Serif CJK SC"), &["Noto Serif CJK SC"]), [0]);
        assert!(faces_named(&font("Noto Serif CJK JP"), &["Noto Serif CJK SC"]).is_empty());
    }

    #[test]
    fn damaged_files_hold_nothing() {
        let whole = font("Noto Serif CJK SC");
        for length in 0..whole.len() {
            assert!(
                faces_named(&whole[..length], &["Noto Serif CJK SC"]).is_empty(),
                "{length}"
            );
        }
        assert!(faces_named(b"ttcf\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", &["a"]).is_empty());
    }
}
