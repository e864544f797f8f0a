//! Chance from one seed: everything that happens by chance in a run is drawn from here.

use std::sync::{Mutex, PoisonError};

use fieldseal_core::random::{Random, RandomError};

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        let mut dice = Self(seed ^ 0x5eed_0f1e_1d5e_a100);
        dice.roll();
        dice
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from 0 to below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.roll() % n as u64) as usize
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub fn id(&mut self) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.roll().to_be_bytes());
        id[8..].copy_from_slice(&self.roll().to_be_bytes());
        id
    }

    /// Another source that does not disturb this one.
    pub fn fork(&mut self) -> Dice {
        Dice::new(self.roll())
    }
}

/// The product's random port over dice.
pub struct SeededRandom(Mutex<Dice>);

impl SeededRandom {
    pub fn new(dice: Dice) -> Self {
        Self(Mutex::new(dice))
    }
}

impl Random for SeededRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let mut dice = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for part in out.chunks_mut(8) {
            let bytes = dice.roll().to_le_bytes();
            part.copy_from_slice(&bytes[..part.len()]);
        }
        Ok(())
    }
}
