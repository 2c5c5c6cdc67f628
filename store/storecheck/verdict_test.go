package storecheck_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
	"github.com/mindtrace/registry/store/storecheck"
)

// refuseSwaps is what a server does that reads the condition in its own way.
func refuseSwaps(d *defect) func(context.Context, string, []byte, store.Token) (store.Info, error) {
	return func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
		if match != store.Absent {
			return store.Info{}, store.ErrPrecondition
		}
		return d.Store.Put(ctx, key, body, match)
	}
}

// Every check, and the probe, comes to an end on a store that always gives the
// same wrong answer, and says what is wrong.
func TestVerdictOnAnyStore(t *testing.T) {
	answer := func(infos ...store.Info) func([]store.Info, string, string) []store.Info {
		return func([]store.Info, string, string) []store.Info { return infos }
	}
	for name, breakIt := range map[string]func(d *defect){
		"swaps are refused": func(d *defect) { d.put = refuseSwaps(d) },
		"busy for ever": func(d *defect) {
			d.put = func(context.Context, string, []byte, store.Token) (store.Info, error) {
				return store.Info{}, store.ErrRetry
			}
		},
		"swaps are busy for ever": func(d *defect) {
			d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
				if match != store.Absent {
					return store.Info{}, store.ErrRetry
				}
				return d.Store.Put(ctx, key, body, match)
			}
		},
		"outcomes are never known": func(d *defect) {
			d.put = func(context.Context, string, []byte, store.Token) (store.Info, error) {
				return store.Info{}, store.ErrUnknown
			}
		},
		"another token each time": func(d *defect) {
			var n atomic.Int64
			d.get = func(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
				body, info, err := d.Store.Get(ctx, key, o)
				info.Token = store.Token(fmt.Sprint("token ", n.Add(1)))
				return body, info, err
			}
		},
		"bodies are empty": func(d *defect) {
			d.get = func(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
				_, info, err := d.Store.Get(ctx, key, o)
				return nil, info, err
			}
		},
		"bodies are short": func(d *defect) {
			d.get = func(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
				body, info, err := d.Store.Get(ctx, key, o)
				return body[:min(len(body), 1)], info, err
			}
		},
		"bodies are long": func(d *defect) {
			d.get = func(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
				body, info, err := d.Store.Get(ctx, key, o)
				return append(body, body...), info, err
			}
		},
		"infos are empty": func(d *defect) {
			d.get = func(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
				body, _, err := d.Store.Get(ctx, key, o)
				return body, store.Info{}, err
			}
			d.stat = func(ctx context.Context, key string) (store.Info, error) {
				_, err := d.Store.Stat(ctx, key)
				return store.Info{}, err
			}
			d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
				_, err := d.Store.Put(ctx, key, body, match)
				return store.Info{}, err
			}
		},
		"listings are empty": func(d *defect) { d.list = answer() },
		"listings are of one key": func(d *defect) {
			d.list = answer(store.Info{Key: "p/x"}, store.Info{Key: "p/x"})
		},
		"everything is absent": func(d *defect) {
			d.get = func(context.Context, string, *store.GetOptions) ([]byte, store.Info, error) {
				return nil, store.Info{}, store.ErrNotExist
			}
		},
		"a call never returns": func(d *defect) {
			d.get = func(ctx context.Context, _ string, _ *store.GetOptions) ([]byte, store.Info, error) {
				<-ctx.Done()
				return nil, store.Info{}, ctx.Err()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &defect{Store: memstore.New(nil)}
				breakIt(d)
				conns := []store.Store{d, d, d, d}
				found := 0
				for _, c := range append(storecheck.All(), storecheck.Check{Name: "probe", Run: storecheck.Probe}) {
					start := time.Now()
					err := c.Run(t.Context(), &storecheck.Env{Conns: conns, Prefix: "p/" + c.Name + "/", Rounds: 10, Keys: 500})
					if took := time.Since(start); took > 3*time.Minute {
						t.Errorf("%s took %s", c.Name, took)
					}
					if err != nil {
						found++
						t.Logf("%s: %v", c.Name, err)
					}
				}
				if found == 0 {
					t.Error("no check found it")
				}
			})
		})
	}
}

// A store that refuses every swap gets a verdict that says so.
func TestRefusedSwapsAreSaid(t *testing.T) {
	d := &defect{Store: memstore.New(nil)}
	d.put = refuseSwaps(d)
	env := func() *storecheck.Env {
		return &storecheck.Env{Conns: []store.Store{d, d, d, d}, Prefix: "p/"}
	}
	for _, c := range storecheck.All() {
		if c.Name == "cas-counter" {
			if err := c.Run(t.Context(), env()); err == nil || !strings.Contains(err.Error(), "right token was refused") {
				t.Error(err)
			}
		}
	}
	if err := storecheck.Probe(t.Context(), env()); !errors.Is(err, storecheck.ErrBroken) || !strings.Contains(err.Error(), "If-Match") {
		t.Error(err)
	}
}

// A sound store passes every check, also if races end in internal errors of the
// server, as with Ceph's gateway, and if the network loses and repeats puts.
func TestUnknownOutcomesAreSettled(t *testing.T) {
	for _, c := range storecheck.All() {
		if c.Name == "cancel" || c.Name == "outcomes" || c.Name == "body-sizes" {
			continue // they make each put only once; large bodies add nothing
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			b := &badNetwork{Store: memstore.New(nil), rng: rand.New(rand.NewPCG(1, 0))}
			if err := c.Run(t.Context(), &storecheck.Env{Conns: []store.Store{b, b, b, b}, Prefix: "p/", Keys: 100}); err != nil {
				t.Error(err)
			}
		})
	}
}
