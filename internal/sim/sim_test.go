package sim

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestSpeed(t *testing.T) {
	counts := map[string]int{}
	start := time.Now()
	n := 3000
	steps := 0
	for i := range n {
		ch := &choices{rng: rand.New(rand.NewPCG(uint64(i), 0))}
		res := schedule(t, mixed, ch, counts, false)
		steps += res.steps
		if res.violation != "" {
			again := schedule(t, mixed, &choices{fixed: shrink(res.made, 3000, func(x []uint32) bool {
				return schedule(t, mixed, &choices{fixed: x}, map[string]int{}, false).violation != ""
			})}, map[string]int{}, true)
			for _, s := range again.trace {
				fmt.Println(s)
			}
			t.Fatal(i, res.violation, "\nshrunk:", again.violation, again.made)
		}
	}
	fmt.Println(float64(n)/time.Since(start).Seconds(), "/s", steps/n, "steps", counts)
}
