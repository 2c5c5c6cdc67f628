package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// journal is a file that says what became of each bucket and object, in the
// order in which it did. The system has an entry before anybody is told of the
// change, so a kill -9 loses none that was told. It is not flushed: what
// a crash of the machine leaves is not for tests to know.
type journal struct {
	f *os.File
}

// entry says what became of one bucket or object. It is a line of JSON, after
// which the bytes of the object follow.
type entry struct {
	Bucket string
	Name   string                   `json:",omitempty"` // empty: it is about the bucket
	Gone   bool                     `json:",omitempty"`
	Attrs  *fakestorage.ObjectAttrs `json:",omitempty"` // of an object that is there
	Size   int                      `json:",omitempty"` // bytes that follow
}

// state is what the entries of a journal come to.
type state struct {
	buckets map[string]bool
	objects map[object]fakestorage.Object
	last    int64 // the highest generation ever given
}

// openJournal opens the journal in dir, which is made if need be. A kill in the
// middle of a write leaves a beginning of the last entry, of which nobody was
// told: it is cut off.
func openJournal(dir string) (*journal, *state, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, nil, err
	}
	s, whole, err := replay(f)
	if err == nil {
		err = f.Truncate(whole)
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return &journal{f}, s, nil
}

// replay reads entries to the end. It also returns the length of those that are
// whole.
func replay(from io.Reader) (s *state, whole int64, err error) {
	s = &state{buckets: map[string]bool{}, objects: map[object]fakestorage.Object{}}
	r := bufio.NewReader(from)
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return s, whole, nil
		} else if err != nil {
			return nil, 0, err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil || e.Bucket == "" || e.Size < 0 {
			return nil, 0, fmt.Errorf("it is damaged at byte %d (%v); remove it", whole, err)
		}
		body := make([]byte, e.Size)
		if _, err := io.ReadFull(r, body); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return s, whole, nil
		} else if err != nil {
			return nil, 0, err
		}
		s.add(e, body)
		whole += int64(len(line) + len(body))
	}
}

func (s *state) add(e entry, body []byte) {
	o := object{e.Bucket, e.Name}
	switch {
	case e.Name == "" && e.Gone:
		delete(s.buckets, e.Bucket)
	case e.Name == "":
		s.buckets[e.Bucket] = true
	case e.Gone || e.Attrs == nil:
		delete(s.objects, o)
	default:
		s.objects[o] = fakestorage.Object{ObjectAttrs: *e.Attrs, Content: body}
		s.last = max(s.last, e.Attrs.Generation)
	}
}

// add writes an entry. If that fails, what the entry says is true here and
// not after a restart, so nothing more may be told to anybody.
func (j *journal) add(e entry, body []byte) error {
	e.Size = len(body)
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := j.f.Write(append(line, '\n')); err != nil {
		return err
	}
	_, err = j.f.Write(body)
	return err
}
