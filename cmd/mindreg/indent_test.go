package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What is printed as JSON is what encoding/json makes of it, down to a depth;
// below, blanks do not outgrow what they indent.
func TestIndent(t *testing.T) {
	for _, compact := range []string{
		`1`, `"a"`, `[]`, `{}`, `[[],{}]`, `{"a":1,"b":[true,null,"x,:{}[]\"\\"],"c":{}}`, `"\\"`, `["\\","\""]`,
		strings.Repeat("[", maxIndent) + "1,2" + strings.Repeat("]", maxIndent),
	} {
		var want, got bytes.Buffer
		if err := json.Indent(&want, []byte(compact), "", "  "); err != nil {
			t.Fatal(err)
		}
		if err := indent(&got, []byte(compact)); err != nil || got.String() != want.String() {
			t.Errorf("%s: %v\n%s\nwant\n%s", compact, err, &got, &want)
		}
	}
	deep := strings.Repeat("[", 100) + strings.Repeat("1,", 10_000) + "1" + strings.Repeat("]", 100)
	var got bytes.Buffer
	if err := indent(&got, []byte(deep)); err != nil || got.Len() > 2*len(deep) || !json.Valid(got.Bytes()) {
		t.Errorf("%d bytes become %d, %v", len(deep), got.Len(), err)
	}
}
