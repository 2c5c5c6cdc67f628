package cache

import "testing"

// Options, the environment and defaults, in this order, say where a cache is and how large.
func TestOpen(t *testing.T) {
	home := t.TempDir()
	for _, test := range []struct {
		opts   *Options
		env    map[string]string
		dir    string
		budget int64 // -1: an error
	}{
		{nil, map[string]string{"MINDREG_CACHE_DIR": home}, home, DefaultBudget},
		{&Options{}, map[string]string{"MINDREG_CACHE_DIR": home, "MINDREG_CACHE_SIZE": "2GiB"}, home, 2 << 30},
		{nil, map[string]string{"MINDREG_CACHE_DIR": home, "MINDREG_CACHE_SIZE": "0"}, home, 0},
		{nil, map[string]string{"MINDREG_CACHE_DIR": home, "MINDREG_CACHE_SIZE": "much"}, home, -1},
		{&Options{Dir: home, Budget: 5}, map[string]string{"MINDREG_CACHE_DIR": "/other", "MINDREG_CACHE_SIZE": "much"}, home, 5},
		{&Options{Dir: home, Budget: -1}, nil, home, 0},
	} {
		t.Run("", func(t *testing.T) {
			t.Setenv("MINDREG_CACHE_DIR", "")
			t.Setenv("MINDREG_CACHE_SIZE", "")
			for k, v := range test.env {
				t.Setenv(k, v)
			}
			c, err := Open(test.opts)
			if test.budget < 0 {
				if err == nil {
					t.Error("no error")
				}
				return
			}
			if err != nil || c.Dir() != test.dir || c.Budget() != test.budget {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}
