//! Sound: something voice-like, with syllables and pauses, as 16-bit PCM.

use super::Rng;

/// Samples per second.
pub const RATE: u32 = 16_000;

/// A voice that says nothing: syllables of a falling tone with three formants, and pauses between phrases.
pub fn voice(seed: u64, seconds: u32) -> Vec<i16> {
    let mut rng = Rng::new(seed ^ 0x50e4);
    let wanted = RATE as usize * seconds as usize;
    let mut samples = Vec::with_capacity(wanted);
    while samples.len() < wanted {
        for _ in 0..4 + rng.below(6) {
            syllable(&mut samples, &mut rng);
        }
        samples.resize(
            samples.len() + (RATE / 4) as usize + rng.below(u64::from(RATE / 2)) as usize,
            0,
        );
    }
    samples.truncate(wanted);
    samples
}

fn syllable(samples: &mut Vec<i16>, rng: &mut Rng) {
    const VOWELS: [[f64; 3]; 5] = [
        [730.0, 1090.0, 2440.0],
        [270.0, 2290.0, 3010.0],
        [300.0, 870.0, 2240.0],
        [530.0, 1840.0, 2480.0],
        [570.0, 840.0, 2410.0],
    ];
    let formants = *rng.pick(&VOWELS);
    let length = RATE as usize / 8 + rng.below(u64::from(RATE) / 8) as usize;
    let pitch = 105.0 + rng.below(50) as f64;
    let mut phase = 0.0;
    for n in 0..length {
        let through = n as f64 / length as f64;
        let tone = pitch * (1.0 - 0.18 * through);
        phase += tone / f64::from(RATE);
        let mut sum = 0.0;
        for harmonic in 1..=24 {
            let frequency = tone * f64::from(harmonic);
            let strength: f64 = formants
                .iter()
                .map(|formant| 1.0 / (1.0 + ((frequency - formant) / 90.0).powi(2)))
                .sum();
            sum += strength * (std::f64::consts::TAU * phase * f64::from(harmonic)).sin();
        }
        let envelope = (std::f64::consts::PI * through).sin();
        samples.push((sum * envelope * 5000.0).clamp(-30_000.0, 30_000.0) as i16);
    }
}

/// A WAV file of these samples, mono.
pub fn wav(samples: &[i16]) -> Vec<u8> {
    let data = samples.len() as u32 * 2;
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16u32.to_le_bytes());
    file.extend(format());
    file.extend(b"data");
    file.extend(data.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// The 16 bytes of WAVEFORMAT: PCM, mono, [`RATE`], 16 bits.
pub(super) fn format() -> Vec<u8> {
    let mut format = Vec::with_capacity(16);
    format.extend(1u16.to_le_bytes());
    format.extend(1u16.to_le_bytes());
    format.extend(RATE.to_le_bytes());
    format.extend((RATE * 2).to_le_bytes());
    format.extend(2u16.to_le_bytes());
    format.extend(16u16.to_le_bytes());
    format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_long_as_asked_with_sound_and_pauses() {
        let samples = voice(1, 3);
        assert_eq!(samples.len(), 48_000);
        let loud = samples.iter().filter(|sample| sample.unsigned_abs() > 1000).count();
        let silent = samples.iter().filter(|sample| **sample == 0).count();
        assert!(loud > 5_000 && silent > 2_000, "{loud} loud, {silent} silent");
    }

    #[test]
    fn the_header_tells_the_lengths() {
        let file = wav(&[1, -1]);
        assert_eq!(file.len(), 48);
        assert_eq!(u32::from_le_bytes([file[4], file[5], file[6], file[7]]), 40);
        assert_eq!(&file[36..], [b'd', b'a', b't', b'a', 4, 0, 0, 0, 1, 0, 255, 255]);
    }
}
