//! Reserved for builders, a seeded clock and faulty disks that several rooms share; each room still brings its own. Never shipped.
