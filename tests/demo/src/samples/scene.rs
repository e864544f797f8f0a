//! A workshop, drawn: wall, window, floor, gas cylinders, an electric cabinet, a fire extinguisher, a puddle, and the
//! grain of a small sensor, so that a file is as large as a photograph's.

use super::Rng;

type Colour = [f32; 3];

/// What stands where, in thousandths of the picture.
pub(super) struct Scene {
    seed: u64,
    light: f32,
    wall: Colour,
    floor: Colour,
    horizon: f32,
    shapes: Vec<Shape>,
}

struct Shape {
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
    colour: Colour,
    form: Form,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// Flat, like a cabinet or a window.
    Box,
    /// Lit from the left, like a cylinder.
    Round,
    /// An ellipse on the floor.
    Puddle,
}

impl Scene {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut part = |from: u64, to: u64| (from + rng.below(to - from)) as f32;
        let horizon = part(520, 640);
        let mut shapes = Vec::new();
        let mut add = |left: f32, top: f32, width: f32, height: f32, colour, form| {
            shapes.push(Shape {
                left,
                top,
                right: left + width,
                bottom: top + height,
                colour,
                form,
            });
        };
        let window = part(80, 600);
        add(window, 90.0, 210.0, 190.0, [205.0, 222.0, 235.0], Form::Box);
        add(window + 102.0, 90.0, 6.0, 190.0, [96.0, 100.0, 104.0], Form::Box);
        let cabinet = part(30, 260);
        add(cabinet, horizon - 330.0, 150.0, 300.0, [118.0, 126.0, 130.0], Form::Box);
        add(
            cabinet + 16.0,
            horizon - 312.0,
            118.0,
            264.0,
            [44.0, 46.0, 50.0],
            Form::Box,
        );
        for row in 0..4 {
            let top = horizon - 296.0 + 58.0 * row as f32;
            add(cabinet + 30.0, top, part(40, 88), 14.0, [186.0, 154.0, 40.0], Form::Box);
        }
        let cylinders = part(420, 620);
        for number in 0..part(2, 5) as usize {
            let colour = *[[38.0, 84.0, 150.0], [196.0, 196.0, 188.0], [150.0, 62.0, 40.0]]
                .get(number % 3)
                .unwrap_or(&[90.0; 3]);
            let top = horizon - part(210, 250);
            add(
                cylinders + 78.0 * number as f32,
                top,
                58.0,
                horizon - top + 60.0,
                colour,
                Form::Round,
            );
            add(
                cylinders + 78.0 * number as f32 + 20.0,
                top - 26.0,
                18.0,
                28.0,
                [70.0; 3],
                Form::Round,
            );
        }
        let extinguisher = part(760, 900);
        add(
            extinguisher,
            horizon - 40.0,
            46.0,
            130.0,
            [186.0, 24.0, 26.0],
            Form::Round,
        );
        add(
            part(150, 700),
            part(780, 880),
            part(120, 240),
            part(40, 80),
            [62.0, 66.0, 72.0],
            Form::Puddle,
        );
        let light = part(80, 115) / 100.0;
        let wall = [part(150, 205), part(150, 200), part(140, 190)];
        let floor = [part(95, 130), part(95, 125), part(88, 118)];
        Self {
            seed,
            light,
            wall,
            floor,
            horizon,
            shapes,
        }
    }

    /// RGB pixels; `pan` moves the camera, in thousandths of the width.
    pub(super) fn draw(&self, width: u16, height: u16, pan: f32) -> Vec<u8> {
        let mut noise = Rng::new(self.seed ^ u64::from(pan.to_bits()));
        let mut rgb = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
        for row in 0..height {
            let y = f32::from(row) * 1000.0 / f32::from(height);
            for column in 0..width {
                let x = f32::from(column) * 1000.0 / f32::from(width) + pan;
                let [r, g, b] = self.colour(x, y);
                let grain = noise.next();
                for (channel, value) in [r, g, b].into_iter().enumerate() {
                    let dust = ((grain >> (8 * channel)) & 15) as f32 - 7.5;
                    rgb.push((value * self.light + dust).clamp(0.0, 255.0) as u8);
                }
            }
        }
        rgb
    }

    fn colour(&self, x: f32, y: f32) -> Colour {
        let mut colour = if y < self.horizon {
            // Brick courses, darker towards the corners.
            let course = (y / 26.0).floor();
            let joint = y % 26.0 < 2.0 || (x + course * 23.0).rem_euclid(60.0) < 2.0;
            let shade = 1.0 - ((x - 500.0) / 1400.0).powi(2) - if joint { 0.14 } else { 0.0 };
            self.wall.map(|channel| channel * shade)
        } else {
            // Concrete with joints that run to a point.
            let depth = (y - self.horizon) / (1000.0 - self.horizon);
            let joint = ((x - 500.0) / (0.3 + depth)).rem_euclid(220.0) < 3.0;
            let shade = 0.7 + 0.35 * depth - if joint { 0.2 } else { 0.0 };
            self.floor.map(|channel| channel * shade)
        };
        for shape in &self.shapes {
            if x < shape.left || x > shape.right || y < shape.top || y > shape.bottom {
                continue;
            }
            let across = (x - shape.left) / (shape.right - shape.left);
            let down = (y - shape.top) / (shape.bottom - shape.top);
            let shade = match shape.form {
                Form::Box => 1.0 - 0.12 * down,
                Form::Round => 0.45 + 0.75 * (1.0 - (across - 0.33).abs() * 1.45).max(0.0),
                Form::Puddle if (across - 0.5).powi(2) + (down - 0.5).powi(2) > 0.25 => continue,
                Form::Puddle => 0.8 + 0.4 * across,
            };
            colour = shape.colour.map(|channel| channel * shade);
        }
        colour
    }
}
