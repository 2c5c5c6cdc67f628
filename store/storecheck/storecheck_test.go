package storecheck_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/memstore"
	"github.com/mindtrace/registry/store/storecheck"
	"github.com/mindtrace/registry/store/tracestore"
)

// A defect is a store that is right but for one thing. Fields that are nil
// behave.
type defect struct {
	*memstore.Store
	get  func(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error)
	stat func(ctx context.Context, key string) (store.Info, error)
	put  func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error)
	del  func(ctx context.Context, key string) error
	list func(infos []store.Info, prefix, after string) []store.Info
}

func (d *defect) Get(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
	if d.get != nil {
		return d.get(ctx, key, o)
	}
	return d.Store.Get(ctx, key, o)
}

func (d *defect) Stat(ctx context.Context, key string) (store.Info, error) {
	if d.stat != nil {
		return d.stat(ctx, key)
	}
	return d.Store.Stat(ctx, key)
}

func (d *defect) Put(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
	if d.put != nil {
		return d.put(ctx, key, body, match)
	}
	return d.Store.Put(ctx, key, body, match)
}

func (d *defect) Delete(ctx context.Context, key string) error {
	if d.del != nil {
		return d.del(ctx, key)
	}
	return d.Store.Delete(ctx, key)
}

func (d *defect) List(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	if d.list == nil {
		return d.Store.List(ctx, prefix, after)
	}
	return func(yield func(store.Info, error) bool) {
		var all []store.Info
		for info, err := range d.Store.List(ctx, prefix, after) {
			if err != nil {
				yield(info, err)
				return
			}
			all = append(all, info)
		}
		for _, info := range d.list(all, prefix, after) {
			if !yield(info, nil) {
				return
			}
		}
	}
}

// force puts body whatever the state of key.
func (d *defect) force(ctx context.Context, key string, body []byte) (store.Info, error) {
	for {
		info, _ := d.Store.Stat(ctx, key)
		got, err := d.Store.Put(ctx, key, body, info.Token)
		if !errors.Is(err, store.ErrPrecondition) {
			return got, err
		}
	}
}

// defects maps the name of a check to stores that it must find out.
var defects = map[string]func(d *defect){
	"atomic": func(d *defect) {
		d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
			half := append(bytes.Repeat([]byte{255}, len(body)/2), body[len(body)/2:]...)
			info, err := d.Store.Put(ctx, key, half, match)
			if err != nil {
				return info, err
			}
			time.Sleep(2 * time.Millisecond)
			return d.Store.Put(ctx, key, body, info.Token)
		}
	},
	"linearizable": func(d *defect) { // absence is cached, as NFS does
		var absent sync.Map
		d.stat = func(ctx context.Context, key string) (store.Info, error) {
			info, err := d.Store.Stat(ctx, key)
			if errors.Is(err, store.ErrNotExist) {
				absent.Store(key, true)
			}
			return info, err
		}
		d.get = func(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
			if _, ok := absent.Load(key); ok {
				return nil, store.Info{}, store.ErrNotExist
			}
			return d.Store.Get(ctx, key, o)
		}
	},
	"create-one-winner": func(d *defect) { // stat, then write
		d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
			if info, err := d.Store.Stat(ctx, key); err == nil && match == store.Absent {
				return info, store.ErrPrecondition
			}
			time.Sleep(time.Millisecond)
			return d.force(ctx, key, body)
		}
	},
	"create-existing": func(d *defect) { // a server with two pools
		d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
			if match == store.Absent && rand.N(4) == 0 {
				return d.force(ctx, key, body)
			}
			return d.Store.Put(ctx, key, body, match)
		}
	},
	"cas-counter": func(d *defect) { d.put = compareThenSwap(d) },
	"cas-one-winner": func(d *defect) {
		d.put = compareThenSwap(d)
	},
	"cas-absent": func(d *defect) {
		d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
			if _, err := d.Store.Stat(ctx, key); err != nil {
				match = store.Absent
			}
			return d.Store.Put(ctx, key, body, match)
		}
	},
	"tokens": func(d *defect) { // the size as token
		d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
			info, _ := d.Store.Stat(ctx, key)
			got, err := d.Store.Put(ctx, key, body, info.Token)
			got.Token = store.Token(fmt.Sprint(len(body)))
			return got, err
		}
	},
	"outcomes": func(d *defect) {
		d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
			info, err := d.Store.Put(ctx, key, body, match)
			if errors.Is(err, store.ErrPrecondition) {
				err = store.ErrUnknown
			}
			return info, err
		}
	},
	"delete": func(d *defect) {
		d.del = func(ctx context.Context, key string) error {
			if _, err := d.Store.Stat(ctx, key); err != nil {
				return err
			}
			return d.Store.Delete(ctx, key)
		}
	},
	"list-order": func(d *defect) { // directories before files
		d.list = func(infos []store.Info, prefix, _ string) []store.Info {
			var dirs, files []store.Info
			for _, i := range infos {
				if strings.Contains(strings.TrimPrefix(i.Key, prefix), "/") {
					dirs = append(dirs, i)
				} else {
					files = append(files, i)
				}
			}
			return append(dirs, files...)
		}
	},
	"list-complete": func(d *defect) { // misses one now and then
		d.list = func(infos []store.Info, _, _ string) []store.Info {
			if n := len(infos); n > 5 {
				i := rand.N(n - 1)
				return append(infos[:i:i], infos[i+1:]...)
			}
			return infos
		}
	},
	"list-one-state": func(d *defect) { // token and size read one after the other
		d.list = func(infos []store.Info, _, _ string) []store.Info {
			time.Sleep(time.Millisecond)
			for i := range infos {
				now, err := d.Store.Stat(context.Background(), infos[i].Key)
				if err == nil {
					infos[i].Size = now.Size
				}
			}
			return infos
		}
	},
	"time": func(d *defect) { // stamped by a client whose clock is off
		d.stat = func(ctx context.Context, key string) (store.Info, error) {
			info, err := d.Store.Stat(ctx, key)
			info.Modified = info.Modified.Add(-5 * time.Second)
			return info, err
		}
	},
	"get-one-version": func(d *defect) { // two requests
		d.get = func(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
			info, err := d.Store.Stat(ctx, key)
			if err != nil {
				return nil, info, err
			}
			time.Sleep(time.Millisecond)
			body, _, err := d.Store.Get(ctx, key, o)
			return body, info, err
		}
	},
	"get-range": func(d *defect) {
		d.get = func(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
			body, info, err := d.Store.Get(ctx, key, o)
			if o != nil && o.Offset >= info.Size && err == nil {
				err = errors.New("416 range not satisfiable")
			}
			return body, info, err
		}
	},
	"keys-distinct": func(d *defect) {
		alias := func(key string) string { return strings.ReplaceAll(key, "!!", "!") }
		d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
			return d.Store.Put(ctx, alias(key), body, match)
		}
		d.get = func(ctx context.Context, key string, o *store.GetOptions) ([]byte, store.Info, error) {
			return d.Store.Get(ctx, alias(key), o)
		}
	},
	"keys-many": func(d *defect) { // forgets the second page
		d.list = func(infos []store.Info, _, _ string) []store.Info { return infos[:min(len(infos), 500)] }
	},
	"body-sizes": func(d *defect) {
		d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
			return d.Store.Put(ctx, key, body[:min(len(body), 5<<20)], match)
		}
	},
	"body-too-large": func(d *defect) {
		d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
			return d.Store.Put(ctx, key, body[:min(len(body), store.MaxBody)], match)
		}
	},
	"cancel": func(d *defect) { // gives up waiting, and lands all the same
		d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
			done := make(chan struct{})
			go func() {
				time.Sleep(5 * time.Millisecond)
				d.Store.Put(context.WithoutCancel(ctx), key, body, match)
				close(done)
			}()
			select {
			case <-done:
				return store.Info{}, nil
			case <-ctx.Done():
				<-done
				return store.Info{}, ctx.Err()
			}
		}
	},
}

func compareThenSwap(d *defect) func(context.Context, string, []byte, store.Token) (store.Info, error) {
	return func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
		if match == store.Absent {
			return d.Store.Put(ctx, key, body, match)
		}
		if info, _ := d.Store.Stat(ctx, key); info.Token != match {
			return info, store.ErrPrecondition
		}
		time.Sleep(time.Millisecond)
		return d.force(ctx, key, body)
	}
}

// A check that cannot fail proves nothing: each must find out a store that
// breaks its clause.
func TestEachCheckFindsItsDefect(t *testing.T) {
	for _, c := range storecheck.All() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			breakIt := defects[c.Name]
			if breakIt == nil {
				t.Fatal("no defective store for this check")
			}
			d := &defect{Store: memstore.New(nil)}
			breakIt(d)
			conns := []store.Store{d, d, d, d}
			err := c.Run(t.Context(), &storecheck.Env{Conns: conns, Prefix: "p/", Rounds: 50})
			if err == nil {
				t.Error("the check passed on a store that breaks its clause")
			}
			t.Log(err)
		})
	}
}

// The probe finds what would lose data at once, every time, and leaves nothing
// behind.
func TestProbe(t *testing.T) {
	for _, name := range []string{"", "create-one-winner", "create-existing", "cas-absent", "cas-one-winner", "swaps race", "swaps refused", "list-order"} {
		t.Run("defect "+name, func(t *testing.T) {
			for range 20 {
				d := &defect{Store: memstore.New(nil)}
				switch name {
				case "cas-one-winner": // swaps are not conditional at all
					d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
						if match != store.Absent {
							return d.force(ctx, key, body)
						}
						return d.Store.Put(ctx, key, body, match)
					}
				case "swaps race": // right, one after the other
					d.put = compareThenSwap(d)
				case "swaps refused":
					d.put = refuseSwaps(d)
				case "":
				default:
					defects[name](d)
				}
				err := storecheck.Probe(t.Context(), &storecheck.Env{Conns: []store.Store{d, d, d, d}, Prefix: "p/"})
				if name == "" && err != nil {
					t.Fatal(err)
				}
				if name != "" && !errors.Is(err, storecheck.ErrBroken) {
					t.Fatalf("got %v, want ErrBroken", err)
				}
				for info := range d.Store.List(t.Context(), "", "") {
					t.Errorf("%s is left", info.Key)
				}
			}
		})
	}
}

// The probe is cheap enough for the first write of a day.
func TestProbeIsShort(t *testing.T) {
	st := tracestore.New(memstore.New(nil))
	if err := storecheck.Probe(t.Context(), &storecheck.Env{Conns: []store.Store{st}, Prefix: "p/"}); err != nil {
		t.Fatal(err)
	}
	if n := st.Count(""); n > 100 {
		t.Errorf("%d requests", n)
	} else {
		t.Logf("%d requests", n)
	}
}

// What keeps the probe from asking is said once, and is not taken for a broken
// promise, whichever request it befalls.
func TestProbeThatCannotAsk(t *testing.T) {
	for _, why := range []error{fs.ErrPermission, store.ErrUnavailable} {
		for n := range 60 {
			d := &defect{Store: memstore.New(nil)}
			var puts atomic.Int64
			d.put = func(ctx context.Context, key string, body []byte, match store.Token) (store.Info, error) {
				if puts.Add(1) > int64(n) {
					return store.Info{}, fmt.Errorf("put %s: %w", key, why)
				}
				return d.Store.Put(ctx, key, body, match)
			}
			err := storecheck.Probe(t.Context(), &storecheck.Env{Conns: []store.Store{d}, Prefix: "p/"})
			if puts.Load() <= int64(n) {
				break // it was through
			}
			if !errors.Is(err, why) || errors.Is(err, storecheck.ErrBroken) || strings.Contains(err.Error(), "\n") {
				t.Errorf("after %d puts: %v", n, err)
			}
		}
	}
}

// So is what keeps it from removing its keys.
func TestProbeThatCannotTidy(t *testing.T) {
	d := &defect{Store: memstore.New(nil), del: func(context.Context, string) error { return fs.ErrPermission }}
	err := storecheck.Probe(t.Context(), &storecheck.Env{Conns: []store.Store{d}, Prefix: "p/"})
	if !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
}
