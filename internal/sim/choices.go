package sim

import (
	"math/rand/v2"
	"slices"
)

// choices is the source of all decisions. A zero, and every choice beyond the
// end, is harmless: the first waiting request is served, without a fault.
type choices struct {
	rng   *rand.Rand // nil: replay only
	fixed []uint32
	made  []uint32
}

// draw returns a number below n.
func (c *choices) draw(n int) int {
	var x uint32
	switch at := len(c.made); {
	case at < len(c.fixed):
		x = c.fixed[at] % uint32(n)
	case c.rng != nil:
		x = c.rng.Uint32N(uint32(n))
	}
	c.made = append(c.made, x)
	return int(x)
}

// often is true in percent of all cases.
func (c *choices) often(percent int) bool { return c.draw(100) >= 100-percent }

// pick returns one of the elements.
func pick[T any](c *choices, from []T) T { return from[c.draw(len(from))] }

// shrink returns a sequence of choices that still fails, as short and as
// harmless as it finds within this many tries. fails returns the number of steps
// until the failure, or 0 for none; shrink never increases it.
func shrink(made []uint32, tries int, fails func([]uint32) int) []uint32 {
	steps := 1 << 30
	try := func(cand []uint32) bool {
		if tries <= 0 {
			return false
		}
		tries--
		n := fails(cand)
		if n == 0 || n > steps {
			return false
		}
		made, steps = cand, n
		return true
	}
	try(made)
	for n := len(made) / 2; n > 0; n /= 2 { // the end
		for len(made) > n && try(made[:len(made)-n:len(made)-n]) {
		}
	}
	for better := true; better && tries > 0; {
		better = false
		for n := max(len(made)/2, 1); n > 0; n /= 2 {
			for at := 0; at+n <= len(made) && tries > 0; {
				if try(append(made[:at:at], made[at+n:]...)) {
					better = true
					continue
				}
				zero := append([]uint32{}, made...)
				clear(zero[at : at+n])
				if !slices.Equal(zero, made) && try(zero) {
					better = true
				}
				at += n
			}
		}
	}
	for len(made) > 0 && made[len(made)-1] == 0 {
		made = made[:len(made)-1]
	}
	return made
}
