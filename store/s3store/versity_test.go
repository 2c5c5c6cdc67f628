package s3store_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// An entry that the Versity gateway lists with the size of one state and the
// ETag of another is not passed on. It does so too seldom to wait for it.
func TestListedInTwoStates(t *testing.T) {
	const first, second = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
	for _, server := range []string{"VERSITYGW", "another"} {
		modified := time.Now().UTC()
		st, requests := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Server", server)
			w.Header().Set("x-amz-request-id", "1")
			if r.Method == http.MethodHead {
				w.Header().Set("ETag", `"`+second+`"`)
				w.Header().Set("Last-Modified", modified.Format(http.TimeFormat))
				w.Header().Set("Content-Length", "100")
				return
			}
			w.Header().Set("Content-Type", "application/xml")
			fmt.Fprintf(w, `<ListBucketResult><Contents><Key>key</Key><ETag>"%s"</ETag><Size>100</Size><LastModified>%s</LastModified></Contents></ListBucketResult>`,
				first, modified.Format(time.RFC3339))
		})
		want := map[string]store.Token{"VERSITYGW": second, "another": first}[server]
		for info, err := range st.List(t.Context(), "", "") {
			if err != nil || info.Token != want || info.Size != 100 {
				t.Errorf("%s: %+v, %v", server, info, err)
			}
		}
		n := requests.Load()
		for key, err := range store.Keys(t.Context(), st, "", "") {
			if err != nil || key != "key" {
				t.Errorf("%s: %q, %v", server, key, err)
			}
		}
		if n := requests.Load() - n; n != 1 {
			t.Errorf("%s: keys alone take %d requests", server, n)
		}
	}
}
