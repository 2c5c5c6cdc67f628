package gcsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/mindtrace/registry/internal/transport"
	"github.com/mindtrace/registry/store"
)

const scope = "https://www.googleapis.com/auth/devstorage.read_write"

// account finds credentials, and hands out tokens made with them.
type account struct {
	none   string       // why requests carry no credentials; empty if they do
	from   string       // where the credentials come from
	client *http.Client // for requests for tokens
	given  []byte       // the JSON of explicit credentials
	kind   google.CredentialsType

	patience time.Duration // how long to wait for a token

	mu    sync.Mutex
	creds *google.Credentials // nil until the first request

	renewing sync.Mutex  // held while a token is fetched, or found to be fresh
	offline  atomic.Bool // the server of tokens did not answer
	stalled  atomic.Bool // it accepted a request and did not answer that
}

// accountOf decides which credentials to use. It does not look for those of
// the environment yet.
func accountOf(o Options, ep endpoint, guarded http.RoundTripper) (*account, error) {
	a := &account{patience: transport.Patience}
	a.client = &http.Client{Transport: line{a, guarded}, Timeout: 2 * a.patience}
	explicit := o.CredentialsFile != "" || len(o.CredentialsJSON) > 0
	switch {
	case explicit && o.Anonymous:
		return nil, errors.New("anonymous and credentials exclude each other; give one of them")
	case explicit && o.CredentialsFile != "" && len(o.CredentialsJSON) > 0:
		return nil, errors.New("both a file of credentials and their JSON are given; give one of them")
	case explicit && !ep.secure:
		return nil, fmt.Errorf("credentials are not sent over http, where everybody on the way can read them; use https, or leave them out for an emulator at %s", ep.root)
	case o.Anonymous:
		a.none = "none (anonymous)"
	case !ep.secure:
		a.none = "none (an emulator's endpoint)"
	case !ep.google && !explicit:
		// A token gives all rights of its owner for an hour. An attacker who
		// can make a program open a URL must not receive it.
		a.none = "none (" + ep.root + " is not Google's; name credentials for it with ?credentials=)"
	case o.CredentialsFile != "":
		b, err := os.ReadFile(o.CredentialsFile)
		if err != nil {
			// Not wrapped: callers would take fs.ErrNotExist for an absent key.
			return nil, fmt.Errorf("cannot read the file of credentials: %v", err)
		}
		a.given, a.from = b, o.CredentialsFile
	case explicit:
		a.given, a.from = o.CredentialsJSON, "given by the program"
	}
	if a.given != nil {
		var f struct{ Type google.CredentialsType }
		if err := json.Unmarshal(a.given, &f); err != nil || f.Type == "" {
			return nil, fmt.Errorf("the credentials (%s) are not the JSON of a key: it has no \"type\"", a.from)
		}
		a.kind = f.Type
	}
	return a, nil
}

// find returns the credentials, looking for them the first time.
func (a *account) find() (*google.Credentials, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.creds != nil {
		return a.creds, nil
	}
	// Not the context of a call: it renews tokens as long as the store lives.
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, a.client)
	var creds *google.Credentials
	var err error
	named, from := getenv(adcVariable), a.from
	switch {
	case a.given != nil:
		creds, err = google.CredentialsFromJSONWithType(ctx, a.given, a.kind, scope)
	case named != "" && named != os.Getenv(adcVariable): // the library would not trim the name
		from = "$" + adcVariable + ", " + named
		creds, err = fromFile(ctx, named)
	default:
		from = "application default credentials"
		if named != "" {
			from = "$" + adcVariable + ", " + named
		}
		creds, err = google.FindDefaultCredentials(ctx, scope)
	}
	if err != nil {
		return nil, &credentialsError{from: from, err: err, none: a.given == nil && named == ""}
	}
	a.from = from
	a.creds = creds
	return creds, nil
}

// fromFile reads a file of credentials.
func fromFile(ctx context.Context, path string) (*google.Credentials, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var f struct{ Type google.CredentialsType }
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("%s is not the JSON of a key: %w", path, err)
	}
	return google.CredentialsFromJSONWithType(ctx, b, f.Type, scope)
}

const adcVariable = "GOOGLE_APPLICATION_CREDENTIALS"

// token returns a token, or ctx's error if ctx ends first. The search for
// credentials and the renewal of a token cannot be cancelled.
func (a *account) token(ctx context.Context) (*oauth2.Token, error) {
	type result struct {
		token *oauth2.Token
		err   error
	}
	done := make(chan result, 1)
	go func() {
		t, err := a.fetch()
		done <- result{t, err}
	}()
	t := time.NewTimer(a.patience)
	defer t.Stop()
	select {
	case r := <-done:
		return r.token, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.C:
		from := "Google's credentials"
		if a.mu.TryLock() { // the search has ended
			from = a.owner()
			a.mu.Unlock()
		}
		return nil, &credentialsError{from: from, again: true, err: fmt.Errorf("%w: no token came for %v", store.ErrStalled, a.patience)}
	}
}

func (a *account) fetch() (*oauth2.Token, error) {
	creds, err := a.find()
	if err != nil {
		return nil, err
	}
	a.renewing.Lock()
	defer a.renewing.Unlock()
	a.offline.Store(false)
	t, err := creds.TokenSource.Token()
	if err != nil {
		var refused *oauth2.RetrieveError
		busy := errors.As(err, &refused) && refused.Response != nil &&
			(refused.Response.StatusCode >= 500 || refused.Response.StatusCode == http.StatusTooManyRequests)
		if a.stalled.Load() {
			err = fmt.Errorf("%w: %w", store.ErrStalled, err)
		}
		return nil, &credentialsError{from: a.said(), err: err, again: busy || a.offline.Load()}
	}
	return t, nil
}

// line is a transport that records when a request gets no answer. The errors
// of package oauth2 keep only the text of the cause.
type line struct {
	account *account
	next    http.RoundTripper
}

func (l line) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(req)
	l.account.offline.Store(err != nil)
	l.account.stalled.Store(errors.Is(err, store.ErrStalled))
	return resp, err
}

// said names the owner of the credentials, for messages.
func (a *account) said() string {
	if a.none != "" {
		return a.none
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.owner()
}

// owner names the owner of the credentials. It is called with mu held.
func (a *account) owner() string {
	if a.creds == nil && a.given == nil {
		return "application default credentials (not looked for yet)"
	}
	b := a.given
	if a.creds != nil {
		b = a.creds.JSON
	}
	return owner(b) + " (" + a.from + ")"
}

// owner names the owner of credentials in JSON.
func owner(b []byte) string {
	if b == nil {
		return "the service account of this machine"
	}
	var f struct {
		Type   string
		Email  string `json:"client_email"`
		Target string `json:"service_account_impersonation_url"`
	}
	json.Unmarshal(b, &f)
	switch f.Type {
	case "service_account":
		return "service account " + f.Email
	case "authorized_user":
		return "a user's login"
	}
	if f.Target != "" {
		i := strings.LastIndexByte(f.Target, '/')
		f.Type += " as " + strings.TrimSuffix(f.Target[i+1:], ":generateAccessToken")
	}
	return f.Type
}

// projectFound returns the project that the credentials name, or "" before the
// first request.
func (a *account) projectFound() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.creds == nil {
		return ""
	}
	return a.creds.ProjectID
}

func (s *Store) findProject(ctx context.Context) (string, error) {
	if s.project == "" && s.account.none == "" {
		if _, err := s.account.token(ctx); err != nil {
			return "", err
		}
	}
	if p := first(s.project, s.account.projectFound()); p != "" {
		return p, nil
	}
	return "", fmt.Errorf("create bucket %s: a bucket belongs to a project; say which with ?project= or $GOOGLE_CLOUD_PROJECT", s.bucket)
}

// authorized adds a token to each request.
type authorized struct {
	account *account
	next    http.RoundTripper
}

func (t authorized) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := t.account.token(req.Context())
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	req = req.Clone(req.Context())
	token.SetAuthHeader(req)
	return t.next.RoundTrip(req)
}

// credentialsError means that no request could be made for lack of a token.
// It does not unwrap to its cause: a missing file of credentials must not look
// like an absent key.
type credentialsError struct {
	from  string
	none  bool // no credentials are configured
	again bool // trying again may help
	err   error
}

func (e *credentialsError) Error() string {
	switch {
	case e.none:
		return fmt.Sprintf("no Google credentials found (%v): set $%s to a key file, run \"gcloud auth application-default login\", or say ?anonymous=true for a public bucket", e.err, adcVariable)
	case e.again:
		return fmt.Sprintf("no token for %s: %v", e.from, e.err)
	case strings.Contains(e.err.Error(), "iat and exp"):
		return fmt.Sprintf("no token for %s: %v; this machine's clock, %s, seems to be wrong", e.from, e.err, time.Now().UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("no token for %s: %v; log in again (gcloud auth application-default login) or check $%s", e.from, e.err, adcVariable)
}

func (e *credentialsError) Is(target error) bool {
	if e.again {
		return target == store.ErrUnavailable || target == store.ErrStalled && errors.Is(e.err, target)
	}
	return target == fs.ErrPermission
}
