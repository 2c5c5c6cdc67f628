package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// noise is a stream of bytes that does not compress, the same for each seed.
func noise(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

// noiseFile writes size bytes of noise.
func noiseFile(path string, seed byte, size int64) error {
	return writeFile(path, io.LimitReader(noise(seed), size))
}

// insertedFile writes the same bytes with some more in their middle.
func insertedFile(path string, seed byte, size int64, inserted []byte) error {
	r := io.LimitReader(noise(seed), size)
	return writeFile(path, io.MultiReader(io.LimitReader(r, size/2), bytes.NewReader(inserted), r))
}

func writeFile(path string, r io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	_, err = io.Copy(w, struct{ io.Reader }{r})
	return errors.Join(err, w.Flush(), f.Close())
}

// smallFiles writes n files of size bytes, a hundred to a directory.
func smallFiles(dir string, seed byte, n int, size int64) error {
	r := noise(seed)
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprint(i/100))
		if i%100 == 0 {
			if err := os.MkdirAll(sub, 0o777); err != nil {
				return err
			}
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprint(i)), b, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// warm reads a file, so that it is in memory.
func warm(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(struct{ io.Writer }{io.Discard}, f)
	return err
}

// sameFile reports how a file differs from another, byte by byte.
func sameFile(got, want string) error {
	g, err := os.Open(got)
	if err != nil {
		return err
	}
	defer g.Close()
	w, err := os.Open(want)
	if err != nil {
		return err
	}
	defer w.Close()
	return sameBytes(g, w, got)
}

func sameBytes(g, w io.Reader, what string) error {
	gb, wb := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); ; {
		n, gerr := io.ReadFull(g, gb)
		m, werr := io.ReadFull(w, wb)
		if !bytes.Equal(gb[:n], wb[:m]) {
			return fmt.Errorf("%s differs from what was saved, after %d bytes", what, at)
		}
		at += int64(n)
		switch {
		case gerr == nil && werr == nil:
		case gerr == io.EOF || gerr == io.ErrUnexpectedEOF:
			return nil // equal lengths, as the blocks were equal
		default:
			return errors.Join(gerr, werr)
		}
	}
}

// treeSum is a digest of all names and bytes below dir.
func treeSum(dir string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", rel, len(b), b)
		return err
	})
	return fmt.Sprintf("%x", h.Sum(nil)), err
}

// sameTree reports whether two trees differ.
func sameTree(got, want string) error {
	g, err := treeSum(got)
	if err != nil {
		return err
	}
	w, err := treeSum(want)
	if err != nil {
		return err
	}
	if g != w {
		return fmt.Errorf("%s differs from what was saved", got)
	}
	return nil
}

// sizeBelow adds up the files below dir, which may be changing.
func sizeBelow(dir string) (bytes int64) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				bytes += info.Size()
			}
		}
		return nil
	})
	return bytes
}
