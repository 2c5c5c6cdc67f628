package servers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mindtrace/registry/internal/servers"
)

// What the Google Cloud Storage server has acknowledged is as it was after a
// kill -9, with the same generation and times; what it has not is there whole
// or not at all; conditions hold and generations grow through it all, and
// nobody is shown what is then lost.
func TestGCSKilled(t *testing.T) {
	kills, each := 8, 40
	if testing.Short() {
		kills = 3
	}
	s := servers.PrivateGCS(t)
	b := &book{t: t, base: s.Endpoint(), bucket: s.Bucket(t), objects: map[string]*written{}}
	var wg sync.WaitGroup
	var over atomic.Bool
	for i := range 4 {
		rng := rand.New(rand.NewPCG(uint64(i), 0))
		wg.Go(func() {
			for n := 0; !over.Load(); n++ {
				b.writer(rng, fmt.Sprintf("w%d/%d", i, n))
			}
		})
		wg.Go(func() {
			for n := 0; !over.Load(); n++ {
				b.append(fmt.Sprintf("%d.%d", i, n))
			}
		})
	}
	wg.Go(func() {
		for !over.Load() {
			b.working.RLock()
			b.look()
			b.working.RUnlock()
		}
	})
	for range kills {
		for n := b.done.Load() + int64(each); b.done.Load() < n && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		s.Kill()
		if err := s.Restart(); err != nil {
			t.Error(err)
			break
		}
		b.check()
	}
	over.Store(true)
	wg.Wait()
	b.check()
	b.checkBodies()
	t.Logf("%d requests answered, %d not; %d objects, %d appended, %d unknowns that came true", b.done.Load(), b.lost.Load(), len(b.objects), len(b.order), b.came)
}

// resource is what the server says about an object.
type resource struct {
	Name, Generation, TimeCreated, Updated, Md5Hash, ContentType, CacheControl string
}

// written is what an object may be.
type written struct {
	body  []byte
	is    *resource // nil: its put or its delete was not acknowledged
	state state
}

type state int

const (
	there state = iota
	gone
	either
)

// book is what became of the requests to a server.
type book struct {
	t            *testing.T
	base, bucket string
	done, lost   atomic.Int64 // requests with an answer, and without
	came         int

	working sync.RWMutex // held by each request, and to check while there is none
	highest atomic.Int64 // highest generation in an answer so far

	mu       sync.Mutex
	objects  map[string]*written
	order    []string        // appended, as acknowledged
	unknown  map[string]bool // appended, perhaps
	seen     []string        // the longest that the register has been
	seenGen  int64
	appended map[string]int64 // generation, by what was appended
}

// request sends one request. 0 means that there was no answer.
func (b *book) request(method, path string, q url.Values, body []byte) (int, http.Header, []byte) {
	req, err := http.NewRequest(method, b.base+path+"?"+q.Encode(), bytes.NewReader(body))
	if err != nil {
		b.t.Error(err)
		return 0, nil, nil
	}
	req.Header.Set("Content-Type", "text/x-"+method)
	req.Header.Set("Cache-Control", "no-store")
	resp, err := http.DefaultClient.Do(req)
	var got []byte
	if err == nil {
		got, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err != nil {
		b.lost.Add(1)
		time.Sleep(5 * time.Millisecond) // it may be down
		return 0, nil, nil
	}
	b.done.Add(1)
	return resp.StatusCode, resp.Header, got
}

// put stores an object if its generation is match, and returns the status.
func (b *book) put(name string, match int64, body []byte) (int, *resource) {
	before := b.highest.Load()
	q := url.Values{"uploadType": {"media"}, "name": {name}, "ifGenerationMatch": {fmt.Sprint(match)}}
	status, _, answer := b.request("POST", "/upload/storage/v1/b/"+b.bucket+"/o", q, body)
	if status != http.StatusOK {
		return status, nil
	}
	var r resource
	if err := json.Unmarshal(answer, &r); err != nil {
		b.t.Errorf("put %s: %s", name, answer)
	}
	if r.generation() <= before {
		b.t.Errorf("put %s: generation %s, after %d", name, r.Generation, before)
	}
	b.told(r.generation())
	return status, &r
}

func (r *resource) generation() (n int64) {
	fmt.Sscan(r.Generation, &n)
	return n
}

func (b *book) told(generation int64) {
	for {
		old := b.highest.Load()
		if generation <= old || b.highest.CompareAndSwap(old, generation) {
			return
		}
	}
}

// get returns the bytes and the generation of an object.
func (b *book) get(name string) (int, []byte, int64) {
	status, h, body := b.request("GET", "/storage/v1/b/"+b.bucket+"/o/"+url.PathEscape(name), url.Values{"alt": {"media"}}, nil)
	return status, body, (&resource{Generation: h.Get("X-Goog-Generation")}).generation()
}

// writer puts a new object, and deletes one in three again.
func (b *book) writer(rng *rand.Rand, name string) {
	b.working.RLock()
	defer b.working.RUnlock()
	size := []int{0, 100, 100 << 10, 1 << 20}[rng.IntN(4)]
	w := &written{body: bytes.Repeat([]byte(name+"."), size/len(name)), state: either}
	b.mu.Lock()
	b.objects[name] = w
	b.mu.Unlock()
	status, r := b.put(name, 0, w.body)
	switch status {
	case 0:
		return
	case http.StatusOK:
		w.is, w.state = r, there
	default:
		b.t.Errorf("put %s: status %d", name, status)
	}
	if rng.IntN(3) > 0 {
		return
	}
	w.state = either
	status, _, answer := b.request("DELETE", "/storage/v1/b/"+b.bucket+"/o/"+url.PathEscape(name), nil, nil)
	switch {
	case status == http.StatusOK || status == http.StatusNoContent:
		w.state = gone
	case status != 0:
		b.t.Errorf("delete %s: %d %s", name, status, answer)
	}
}

// register is an object to which all append, by conditional puts.
const register = "register"

// append adds a word to the register, if nobody else does meanwhile.
func (b *book) append(word string) {
	b.working.RLock()
	defer b.working.RUnlock()
	status, body, generation := b.get(register)
	if status != http.StatusOK && status != http.StatusNotFound {
		return
	} else if status == http.StatusNotFound {
		body, generation = nil, 0
	}
	status, r := b.put(register, generation, append(body, word+" "...))
	b.mu.Lock()
	defer b.mu.Unlock()
	switch status {
	case 0:
		if b.unknown == nil {
			b.unknown = map[string]bool{}
		}
		b.unknown[word] = true
	case http.StatusOK:
		b.order = append(b.order, word)
		if b.appended == nil {
			b.appended = map[string]int64{}
		}
		b.appended[word] = r.generation()
	case http.StatusPreconditionFailed:
	default:
		b.t.Errorf("append: status %d", status)
	}
}

// look reads the register: what was seen in it stays in it. Two at a time would
// not know who saw it first.
func (b *book) look() {
	status, body, generation := b.get(register)
	if status == 0 {
		return
	}
	words := strings.Fields(string(body))
	b.mu.Lock()
	defer b.mu.Unlock()
	if status != http.StatusOK {
		if len(b.seen) > 0 {
			b.t.Errorf("the register was %d words long and answers with status %d", len(b.seen), status)
		}
		return
	}
	if generation < b.seenGen || len(words) < len(b.seen) || !slices.Equal(words[:len(b.seen)], b.seen) || generation == b.seenGen && len(words) > len(b.seen) {
		b.t.Errorf("the register was %d words long in generation %d, and is %d long in %d", len(b.seen), b.seenGen, len(words), generation)
	}
	b.seen, b.seenGen = words, generation
	b.told(generation)
}

// check compares what is there with what may be. Nobody works meanwhile, so
// what is found now has to stay so.
func (b *book) check() {
	b.working.Lock()
	defer b.working.Unlock()
	b.look()
	// The register: each acknowledged word once, in the order of generations.
	slices.SortFunc(b.order, func(x, y string) int { return int(b.appended[x] - b.appended[y]) })
	acked := slices.DeleteFunc(slices.Clone(b.seen), func(word string) bool { return b.appended[word] == 0 })
	if !slices.Equal(acked, b.order) {
		b.t.Errorf("%d words were acknowledged, %d of them are there, or in another order", len(b.order), len(acked))
	}
	for _, word := range b.seen {
		if b.appended[word] == 0 && !b.unknown[word] {
			b.t.Errorf("the register has %s, whose append was refused", word)
		}
	}
	listed := b.list()
	for name, w := range b.objects {
		r := listed[name]
		delete(listed, name)
		switch {
		case r == nil && w.state == there:
			b.t.Errorf("%s was acknowledged and is lost", name)
		case r != nil && w.state == gone:
			b.t.Errorf("%s was deleted and is there", name)
		case r == nil:
			w.state = gone
			continue
		case w.is != nil && *r != *w.is:
			b.t.Errorf("%s was %+v and is %+v", name, *w.is, *r)
		}
		if w.state == either {
			b.came++
		}
		w.is, w.state = r, there
	}
	delete(listed, register)
	if len(listed) > 0 {
		b.t.Errorf("nobody made %v", slices.Collect(maps.Keys(listed)))
	}
}

// checkBodies reads all that is there after the last check.
func (b *book) checkBodies() {
	for name, w := range b.objects {
		if w.state != there {
			continue
		}
		if status, body, generation := b.get(name); !bytes.Equal(body, w.body) || generation != w.is.generation() {
			b.t.Errorf("%s: status %d, %d bytes of generation %d; they were %d of %s", name, status, len(body), generation, len(w.body), w.is.Generation)
		}
	}
}

// list returns what is in the bucket.
func (b *book) list() map[string]*resource {
	found := map[string]*resource{}
	for token := ""; ; {
		status, _, body := b.request("GET", "/storage/v1/b/"+b.bucket+"/o", url.Values{"pageToken": {token}}, nil)
		var page struct {
			Items         []*resource
			NextPageToken string
		}
		if err := json.Unmarshal(body, &page); err != nil || status != http.StatusOK {
			b.t.Errorf("list: status %d, %v", status, err)
			return found
		}
		for _, r := range page.Items {
			found[r.Name] = r
			b.told(r.generation())
		}
		if token = page.NextPageToken; token == "" {
			return found
		}
	}
}
