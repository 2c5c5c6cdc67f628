package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// strict enforces what fake-gcs-server v1.56.1 takes and ignores: the
// generation preconditions of everything but uploads, and that generations
// grow. What it cannot enforce it refuses, so that no test passes on a promise
// that nobody kept.
type strict struct {
	server  *fakestorage.Server
	limit   bool
	journal *journal

	// Held by whoever looks, and for writing by every change until it is in
	// the journal: nobody is shown what could still be lost.
	mu      sync.RWMutex
	last    int64 // no generation given so far is higher
	changed map[string]time.Time
}

func newStrict(server *fakestorage.Server, limit bool, j *journal, last int64) *strict {
	return &strict{server: server, limit: limit, journal: j, last: last, changed: map[string]time.Time{}}
}

// The parts of an escaped path: slashes within names are %2F.
var (
	bucketPath  = regexp.MustCompile(`^/storage/v1/b(?:/([^/]+))?/?$`)
	listPath    = regexp.MustCompile(`^/storage/v1/b/([^/]+)/o/?$`)
	uploadPath  = regexp.MustCompile(`^/upload/storage/v1/b/([^/]+)/o/?$`)
	objectPath  = regexp.MustCompile(`^/(?:download/)?storage/v1/b/([^/]+)/o/([^/]+)$`)
	copyPath    = regexp.MustCompile(`^/storage/v1/b/([^/]+)/o/([^/]+)/(?:copyTo|rewriteTo)/b/([^/]+)/o/([^/]+)$`)
	composePath = regexp.MustCompile(`^/storage/v1/b/([^/]+)/o/([^/]+)/compose$`)
)

// object is a bucket and the name of an object in it. Without a name it is the
// bucket.
type object struct{ bucket, name string }

func objectOf(bucket, name string) object {
	b, _ := url.PathUnescape(bucket)
	n, _ := url.PathUnescape(name)
	return object{b, n}
}

func (s *strict) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, q := r.URL.EscapedPath(), r.URL.Query()
	for name := range q {
		if strings.Contains(strings.ToLower(name), "metageneration") {
			fail(w, http.StatusBadRequest, "invalid", "this server does not check "+name)
			return
		}
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	// The lock is not held while bytes come or go: a client that stalls must
	// not stop the others.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // cut off: nothing was asked for
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	switch {
	case !reads:
		s.mu.Lock()
		s.serve(answer, r, path, q, body)
		s.mu.Unlock()
	case q.Get("ifGenerationMatch") == "" && q.Get("ifGenerationNotMatch") == "" && r.Header.Get("X-Goog-If-Generation-Match") == "":
		s.mu.RLock()
		s.server.HTTPHandler().ServeHTTP(answer, r)
		s.mu.RUnlock()
	default:
		s.mu.RLock()
		s.serve(answer, r, path, q, body)
		s.mu.RUnlock()
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// serve answers one request that changes something or has a precondition.
func (s *strict) serve(w *httptest.ResponseRecorder, r *http.Request, path string, q url.Values, body []byte) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	var target object
	switch m := []string(nil); {
	case match(&m, copyPath, path):
		target = objectOf(m[3], m[4])
		if !s.holds(objectOf(m[1], m[2]), q, "ifSourceGeneration") {
			conditionNotMet(w, r)
			return
		}
	case match(&m, composePath, path):
		target = objectOf(m[1], m[2])
		if !s.sourcesHold(target.bucket, body) {
			conditionNotMet(w, r)
			return
		}
	case match(&m, objectPath, path):
		target = objectOf(m[1], m[2])
	case match(&m, uploadPath, path) && (q.Get("uploadType") == "media" || q.Get("uploadType") == "multipart"):
		// Its own preconditions are checked by fake-gcs-server. Resumable ones
		// have sessions, which no journal keeps.
		target = objectOf(m[1], uploadName(r, q, body))
		if target.name == "" {
			fail(w, http.StatusBadRequest, "required", "Required object name")
			return
		}
		q = nil
	case match(&m, bucketPath, path) && m[1] == "" && r.Method == http.MethodPost:
		var bucket struct {
			Name       string
			Versioning struct{ Enabled bool }
		}
		if json.Unmarshal(body, &bucket) == nil && bucket.Versioning.Enabled {
			fail(w, http.StatusNotImplemented, "notImplemented", "this server keeps no old versions")
			return
		}
		target.bucket = bucket.Name
	case match(&m, bucketPath, path) && r.Method == http.MethodDelete:
		target = objectOf(m[1], "")
	case reads && (match(&m, bucketPath, path) || match(&m, listPath, path)):
		s.server.HTTPHandler().ServeHTTP(w, r)
		return
	default:
		fail(w, http.StatusNotImplemented, "notImplemented", "this server does not check the preconditions of "+r.Method+" "+r.URL.RequestURI()+", or does not keep what it changes")
		return
	}
	if !s.holds(target, q, "ifGeneration") {
		conditionNotMet(w, r)
		return
	}
	key := target.bucket + "/" + target.name
	if s.limit && !reads && target.name != "" && time.Since(s.changed[key]) < time.Second {
		fail(w, http.StatusTooManyRequests, "rateLimitExceeded", fmt.Sprintf("The object %s exceeded the rate limit for object mutation operations (create, update, and delete). Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429.", key))
		return
	}
	if reads {
		s.server.HTTPHandler().ServeHTTP(w, r)
		return
	}
	s.tick()
	s.server.HTTPHandler().ServeHTTP(w, r)
	s.last = time.Now().UnixMicro()
	if w.Code >= 300 {
		return
	}
	if s.limit {
		s.changed[key] = time.Now()
	}
	if err := s.keep(target); err != nil {
		log.Fatalf("what was just changed cannot be kept: %v", err) // so nobody may hear of it
	}
}

// tick waits until the next generation, which is the time in microseconds, is
// higher than all before. Else two writes of one microsecond would pass for
// one state, and a clock that was set back for old states.
func (s *strict) tick() {
	for now := time.Now().UnixMicro(); now <= s.last; now = time.Now().UnixMicro() {
		time.Sleep(time.Duration(s.last+1-now) * time.Microsecond)
	}
}

// keep writes down what has become of an object or a bucket.
func (s *strict) keep(o object) error {
	e := entry{Bucket: o.bucket, Name: o.name}
	if o.name == "" {
		_, err := s.server.Backend().GetBucket(o.bucket)
		e.Gone = err != nil
		return s.journal.add(e, nil)
	}
	obj, err := s.server.GetObject(o.bucket, o.name)
	if err != nil {
		e.Gone = true
		return s.journal.add(e, nil)
	}
	e.Attrs = &obj.ObjectAttrs
	return s.journal.add(e, obj.Content)
}

func match(m *[]string, re *regexp.Regexp, path string) bool {
	*m = re.FindStringSubmatch(path)
	return *m != nil
}

// generation is that of an object, 0 if there is none.
func (s *strict) generation(o object) int64 {
	obj, err := s.server.GetObjectStreaming(o.bucket, o.name)
	if err != nil {
		return 0
	}
	defer obj.Close()
	return obj.Generation
}

// holds tells whether the conditions whose names begin with prefix are met.
// About an object that does not exist it is the server that says so, with
// a 404, unless that is the condition.
func (s *strict) holds(o object, q url.Values, prefix string) bool {
	is, not := q.Get(prefix+"Match"), q.Get(prefix+"NotMatch")
	if is == "" && not == "" {
		return true
	}
	gen := s.generation(o)
	now := strconv.FormatInt(gen, 10)
	return (is == "" || is == now || gen == 0) && (not == "" || not != now)
}

func (s *strict) sourcesHold(bucket string, body []byte) bool {
	var compose struct {
		SourceObjects []struct {
			Name                string
			ObjectPreconditions struct{ IfGenerationMatch string }
		}
	}
	if json.Unmarshal(body, &compose) != nil {
		return true // the server will say so
	}
	for _, src := range compose.SourceObjects {
		q := url.Values{"ifGenerationMatch": {src.ObjectPreconditions.IfGenerationMatch}}
		if !s.holds(object{bucket, src.Name}, q, "ifGeneration") {
			return false
		}
	}
	return true
}

// uploadName is the object that an upload is for. It is in the URL, or in the
// metadata: the whole body, or its first part.
func uploadName(r *http.Request, q url.Values, body []byte) string {
	if name := q.Get("name"); name != "" {
		return name
	}
	meta := body
	if kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "multipart/related" {
		part, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).NextPart()
		if err != nil {
			return ""
		}
		if meta, err = io.ReadAll(part); err != nil {
			return ""
		}
	}
	var named struct{ Name string }
	if json.Unmarshal(meta, &named) != nil {
		return ""
	}
	return named.Name
}

func conditionNotMet(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Query().Get("ifGenerationNotMatch") != "" {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	fail(w, http.StatusPreconditionFailed, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
}

// fail answers in the form of Google's errors.
// https://cloud.google.com/storage/docs/json_api/v1/status-codes
func fail(w http.ResponseWriter, code int, reason, message string) {
	domain := "global"
	if code == http.StatusTooManyRequests {
		domain = "usageLimits"
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": code, "message": message,
		"errors": []map[string]string{{"message": message, "domain": domain, "reason": reason}},
	}})
}
