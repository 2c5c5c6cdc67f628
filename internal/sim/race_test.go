//go:build race

package sim

// underRace: schedules take ten times as long, and the detector sees what it
// looks for in a few hundred.
const underRace = true
