package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// median of xs, or NaN without any.
func median(xs []float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(xs))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// column takes one number out of each sample of a competitor.
func (r *result) column(name string, of func(sample) float64) ([]float64, error) {
	if err := r.errs[name]; err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var xs []float64
	for _, s := range r.samples[name] {
		xs = append(xs, of(s))
	}
	if len(xs) == 0 {
		return nil, fmt.Errorf("%s was not measured", name)
	}
	return xs, nil
}

// seconds a run takes, or an operation of a loop.
func seconds(s sample) float64 {
	if s.Ops > 0 {
		return s.Seconds / s.Ops
	}
	return s.Seconds
}

// timeRatio is the median time of a over that of b, with the smallest and the
// largest ratio within a round.
func (r *result) timeRatio(a, b string) (ratio, low, high float64, err error) {
	return r.ratio(a, b, seconds)
}

// ratio is timeRatio of another figure.
func (r *result) ratio(a, b string, of func(sample) float64) (ratio, low, high float64, err error) {
	as, err := r.column(a, of)
	if err != nil {
		return 0, 0, 0, err
	}
	bs, err := r.column(b, of)
	if err != nil {
		return 0, 0, 0, err
	}
	low, high = math.Inf(1), math.Inf(-1)
	for i := range min(len(as), len(bs)) {
		low, high = min(low, as[i]/bs[i]), max(high, as[i]/bs[i])
	}
	return median(as) / median(bs), low, high, nil
}

// atMost: a takes at most limit times as long as b.
func atMost(a string, limit float64, b string) target {
	return target{
		text: fmt.Sprintf("time ≤ %.4g × %s", limit, b),
		eval: func(r *result) (string, bool, error) {
			ratio, low, high, err := r.timeRatio(a, b)
			return fmt.Sprintf("%.2f × (%.2f–%.2f)", ratio, low, high), ratio <= limit, err
		},
	}
}

// faster: a is at least so many times as fast as each of others that was
// measured; that is, as the fastest of them.
func faster(a string, times float64, others ...string) target {
	what := others[0]
	if len(others) > 1 {
		what = "the fastest of " + strings.Join(others, ", ")
	}
	return target{
		text: fmt.Sprintf("speed ≥ %.4g × %s", times, what),
		eval: func(r *result) (string, bool, error) {
			best, b := math.Inf(1), ""
			for _, o := range others {
				xs, err := r.column(o, seconds)
				if err == nil && median(xs) < best {
					best, b = median(xs), o
				}
			}
			if b == "" {
				return "", false, fmt.Errorf("no competitor was measured")
			}
			ratio, low, high, err := r.timeRatio(b, a)
			text := fmt.Sprintf("%.2f × (%.2f–%.2f)", ratio, low, high)
			if len(others) > 1 {
				text += " of " + b
			}
			return text, ratio >= times, err
		},
	}
}

// extraAtMost: the largest value of an extra figure of a is at most limit.
func extraAtMost(a, figure string, limit float64, text, format string) target {
	return target{text: text, eval: func(r *result) (string, bool, error) {
		xs, err := r.column(a, func(s sample) float64 {
			if x, ok := s.Extra[figure]; ok {
				return x
			}
			return math.NaN()
		})
		if err != nil {
			return "", false, err
		}
		worst := slices.Max(xs) // NaN if there is one
		return fmt.Sprintf(format, worst), worst <= limit, nil
	}}
}

// rssAtMost: the client is never larger than limit bytes.
func rssAtMost(a string, limit int64) target {
	return target{
		text: fmt.Sprintf("%s: resident ≤ %d MiB", a, limit>>20),
		eval: func(r *result) (string, bool, error) {
			xs, err := r.column(a, func(s sample) float64 { return float64(s.RSS) })
			if err != nil {
				return "", false, err
			}
			return fmt.Sprintf("%.0f MiB", slices.Max(xs)/(1<<20)), slices.Max(xs) <= float64(limit), nil
		},
	}
}
