package s3store_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
	"github.com/mindtrace/registry/store/s3store"
)

// answering returns a store on a server that answers every request with
// handler, and the count of requests.
func answering(t *testing.T, handler http.HandlerFunc) (*s3store.Store, *atomic.Int32) {
	t.Helper()
	n := new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		io.Copy(io.Discard, r.Body)
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	st, err := s3store.New(s3store.Options{Bucket: "bucket", Endpoint: s.URL, AccessKey: "AKIAEXAMPLE", SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return st, n
}

// refusal writes an error as AWS does; an answer to HEAD has no body.
func refusal(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("x-amz-request-id", "4442587FB7D0A2F9")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>%s</Code><Message>%s</Message><Resource>%s</Resource><RequestId>4442587FB7D0A2F9</RequestId></Error>`, code, message, r.URL.Path)
	}
}

// What AWS answers and no test server does, word for word.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func TestAnswersOfAWS(t *testing.T) {
	for _, tt := range []struct {
		status        int
		code, message string
		read, put     error
		says          string
	}{
		{409, "ConditionalRequestConflict", "The conditional request cannot succeed due to a conflicting operation against this resource.", store.ErrUnavailable, store.ErrRetry, ""},
		{409, "OperationAborted", "A conflicting conditional operation is currently in progress against this resource. Try again.", store.ErrUnavailable, store.ErrRetry, ""},
		{412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", nil, store.ErrPrecondition, ""},
		{429, "TooManyRequests", "Please reduce your request rate.", store.ErrUnavailable, store.ErrRetry, ""},
		{503, "SlowDown", "Please reduce your request rate.", store.ErrUnavailable, store.ErrUnknown, ""},
		{503, "ServiceUnavailable", "Service is unable to handle request.", store.ErrUnavailable, store.ErrUnknown, ""},
		{500, "InternalError", "We encountered an internal error. Please try again.", store.ErrUnavailable, store.ErrUnknown, ""},
		{501, "NotImplemented", "A header you provided implies functionality that is not implemented.", errors.ErrUnsupported, errors.ErrUnsupported, "conditional puts"},
		{400, "NotImplemented", "A header you provided implies functionality that is not implemented", errors.ErrUnsupported, errors.ErrUnsupported, "conditional puts"},
		{400, "RequestTimeout", "Your socket connection to the server was not read from or written to within the timeout period.", store.ErrUnavailable, store.ErrRetry, ""},
		{400, "ExpiredToken", "The provided token has expired.", fs.ErrPermission, fs.ErrPermission, "renew the credentials (given by the program)"},
		{403, "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large.", fs.ErrPermission, fs.ErrPermission, "that of the server 2001-02-03T04:05:06Z; set it"},
		{403, "AccessDenied", "Access Denied", fs.ErrPermission, fs.ErrPermission, "on bucket/* (credentials: given by the program)"},
		{403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", fs.ErrPermission, fs.ErrPermission, "does not know this access key"},
		{404, "NoSuchBucket", "The specified bucket does not exist", store.ErrNoBucket, store.ErrNoBucket, "--create-bucket"},
		{404, "NoSuchKey", "The specified key does not exist.", store.ErrNotExist, store.ErrPrecondition, ""},
		{301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.", nil, nil, "?region=eu-west-1"},
		{400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'", nil, nil, "?region=eu-west-1"},
		{400, "BadDigest", "The Content-MD5 or checksum value that you specified did not match what the server received.", nil, nil, "did not match"},
	} {
		t.Run(tt.code, func(t *testing.T) {
			st, requests := answering(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", "Sat, 03 Feb 2001 04:05:06 GMT")
				if tt.status == http.StatusPreconditionFailed && r.Method == http.MethodHead {
					w.Header().Set("ETag", `"another"`)
					w.Header().Set("Last-Modified", "Sat, 03 Feb 2001 04:05:06 GMT")
					return
				}
				w.Header().Set("x-amz-bucket-region", "eu-west-1")
				refusal(w, r, tt.status, tt.code, tt.message)
			})
			check := func(op string, err, kind error) {
				t.Helper()
				want := int32(1)
				if op == "put" && kind == store.ErrPrecondition && tt.status == http.StatusPreconditionFailed {
					want = 2 // it looks at the key: does the server know the form of the condition?
				}
				if n := requests.Swap(0); n != want {
					t.Errorf("%s: %d requests, want %d", op, n, want)
				}
				if err == nil || kind != nil && !errors.Is(err, kind) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%s: %v; want one that is %v and says %q", op, err, kind, tt.says)
				}
				for _, other := range []error{store.ErrUnknown, store.ErrRetry, store.ErrPrecondition, store.ErrUnavailable, store.ErrNotExist} {
					if other != kind && errors.Is(err, other) {
						t.Errorf("%s: %v; it is also %q", op, err, other)
					}
				}
			}
			_, _, err := st.Get(t.Context(), "k", nil)
			check("get", err, tt.read)
			_, err = st.Put(t.Context(), "k", []byte("body"), "token")
			check("put", err, tt.put)
		})
	}
}

// An answer that gets lost makes the outcome unknown, and nothing is sent
// twice: the second put would lose against the first (protocol, attack A1).
func TestLostAnswer(t *testing.T) {
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			c.Close()
		}
	}
	st, requests := answering(t, hangUp)
	for _, match := range []store.Token{store.Absent, "token"} {
		_, err := st.Put(t.Context(), "k", []byte("body"), match)
		if !errors.Is(err, store.ErrUnknown) || requests.Swap(0) != 1 {
			t.Errorf("put: %v", err)
		}
	}
	if err := st.Delete(t.Context(), "k"); !errors.Is(err, store.ErrUnknown) || requests.Swap(0) != 1 {
		t.Errorf("delete: %v", err)
	}
	_, _, err := st.Get(t.Context(), "k", nil)
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("get: %v", err)
	}
}

// A put that is cancelled when it has been sent may have been applied.
func TestCancelledAfterSending(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	st, _ := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := st.Put(ctx, "k", []byte("body"), store.Absent)
	if !errors.Is(err, store.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
}

// A body that is shorter than announced, or missing, is no body.
func TestCutBody(t *testing.T) {
	st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Last-Modified", "Sat, 03 Feb 2001 04:05:06 GMT")
		io.WriteString(w, "half of it")
	})
	if _, _, err := st.Get(t.Context(), "k", nil); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("get: %v", err)
	}
}

// A server may ignore ranges, and need not say how long an answer is.
func TestRangeIgnored(t *testing.T) {
	for _, flush := range []bool{false, true} {
		st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"x"`)
			w.Header().Set("Last-Modified", "Sat, 03 Feb 2001 04:05:06 GMT")
			io.WriteString(w, "01234")
			if flush {
				http.NewResponseController(w).Flush()
			}
			io.WriteString(w, "56789")
		})
		body, info, err := st.Get(t.Context(), "k", &store.GetOptions{Offset: 3, Length: 4})
		if string(body) != "3456" || info.Size != 10 || err != nil {
			t.Errorf("%q, size %d, %v", body, info.Size, err)
		}
	}
}

// A huge object that somebody has put among ours is not read into memory.
func TestHugeObject(t *testing.T) {
	st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5000000000")
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Last-Modified", "Sat, 03 Feb 2001 04:05:06 GMT")
	})
	if _, _, err := st.Get(t.Context(), "k", nil); err == nil || !strings.Contains(err.Error(), "5000000000 bytes") {
		t.Errorf("get: %v", err)
	}
}

// A directory bucket lists in no order, which nothing above can bear.
func TestUnorderedListing(t *testing.T) {
	st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `<ListBucketResult><IsTruncated>false</IsTruncated>
<Contents><Key>b</Key><ETag>"1"</ETag><LastModified>2001-02-03T04:05:06.789Z</LastModified></Contents>
<Contents><Key>a</Key><ETag>"2"</ETag><LastModified>2001-02-03T04:05:06.789Z</LastModified></Contents></ListBucketResult>`)
	})
	var last error
	for info, err := range st.List(t.Context(), "", "") {
		last = err
		if err == nil && !info.Modified.Equal(time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)) {
			t.Errorf("modified at %s", info.Modified)
		}
	}
	if last == nil || !strings.Contains(last.Error(), "does not list keys in order") {
		t.Errorf("list: %v", last)
	}
}

// A listing cancelled between two pages is an error, not the end.
func TestListingCancelled(t *testing.T) {
	st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>more</NextContinuationToken>
<Contents><Key>a</Key><ETag>"1"</ETag><LastModified>2001-02-03T04:05:06.789Z</LastModified></Contents></ListBucketResult>`)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range st.List(ctx, "", "") {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the listing ends with %v", last)
	}
}

// A web server, or a console on the port beside, is not taken for a bucket that
// lacks the key or has none.
func TestAnswersOfSomethingElse(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"404 with a page": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, "<html><body>Not Found</body></html>")
		},
		"404 with nothing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"200 with a page": func(w http.ResponseWriter, r *http.Request) {
			if !r.URL.Query().Has("list-type") {
				w.WriteHeader(http.StatusNotFound)
			}
			io.WriteString(w, "<html><body>Please log in</body></html>")
		},
	} {
		t.Run(name, func(t *testing.T) {
			st, _ := answering(t, handler)
			_, _, err := st.Get(t.Context(), "k", nil)
			for _, lerr := range st.List(t.Context(), "objects/", "") {
				err = errors.Join(err, lerr)
			}
			if err == nil || strings.Count(err.Error(), "check the endpoint") != 2 || errors.Is(err, store.ErrNotExist) || errors.Is(err, store.ErrNoBucket) {
				t.Error(err)
			}
		})
	}
	// Servers that name no request, but answer as S3 does.
	st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") {
			io.WriteString(w, `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name></ListBucketResult>`)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `<Error><Code>NoSuchKey</Code></Error>`)
	})
	if _, _, err := st.Get(t.Context(), "k", nil); !errors.Is(err, store.ErrNotExist) {
		t.Error(err)
	}
	for info, err := range st.List(t.Context(), "", "") {
		t.Error(info, err)
	}
}

// A put carries what the server needs to refuse it, and without an ETag nobody
// could build on it.
func TestPutRequest(t *testing.T) {
	var sent http.Header
	etag := `"1"`
	st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Clone()
		if etag != "" {
			w.Header().Set("ETag", etag)
		}
	})
	body := []byte("hello world")
	for token, condition := range map[store.Token][2]string{store.Absent: {"If-None-Match", "*"}, "0": {"If-Match", `"0"`}} {
		if _, err := st.Put(t.Context(), "k", body, token); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			condition[0]: condition[1], "X-Amz-Checksum-Crc32c": store.CRC32C(body), "Cache-Control": "no-store",
		} {
			if got := sent.Get(name); got != want {
				t.Errorf("put with token %q: %s is %q, want %q", token, name, got, want)
			}
		}
	}
	etag = ""
	if _, err := st.Put(t.Context(), "k", body, store.Absent); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("without an ETag: %v", err)
	}
}

// state answers for an object with this body.
func state(w http.ResponseWriter, r *http.Request, etag, body string) {
	w.Header().Set("ETag", `"`+etag+`"`)
	w.Header().Set("Last-Modified", "Sat, 03 Feb 2001 04:05:06 GMT")
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method == http.MethodGet {
		io.WriteString(w, body)
	}
}

// An answer with the ETag of one state and the bytes of the next is asked for
// again: the Versity gateway gives one while an object is replaced.
func TestBytesAndTokenAreOfOneState(t *testing.T) {
	sum := func(s string) string { return fmt.Sprintf("%x", md5.Sum([]byte(s))) }
	gets := 0
	st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		etag := sum("new")
		if r.Method == http.MethodGet {
			if gets++; gets == 1 {
				etag = sum("old")
			}
		}
		state(w, r, etag, "new")
	})
	body, info, err := st.Get(t.Context(), "k", nil)
	if err != nil || string(body) != "new" || info.Token != store.Token(sum("new")) || gets != 2 {
		t.Errorf("%q with token %s, %v, after %d requests", body, info.Token, err, gets)
	}
}

// A range that the server refuses, since it begins behind the end, is asked for
// again if the object has grown since.
func TestRangeOfAGrowingKey(t *testing.T) {
	gets := 0
	st, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			if gets++; gets == 1 {
				refusal(w, r, http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
				return
			}
		}
		state(w, r, "1", "0123456789")
	})
	body, info, err := st.Get(t.Context(), "k", &store.GetOptions{Offset: 6, Length: 3})
	if err != nil || string(body) != "678" || info.Size != 10 {
		t.Errorf("%q of %d bytes, %v", body, info.Size, err)
	}
}
