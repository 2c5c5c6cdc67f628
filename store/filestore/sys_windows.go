package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/mindtrace/registry/internal/oserror"
	"github.com/mindtrace/registry/store"
)

// openShared opens a file for reading. Other programs may rename and delete it
// meanwhile, as on other systems.
func openShared(path string) (*os.File, error) {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	share := uint32(windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE)
	h, err := windows.CreateFile(p, windows.GENERIC_READ, share, nil, windows.OPEN_EXISTING,
		windows.FILE_ATTRIBUTE_NORMAL|windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

// openNew creates a file.
func openNew(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
}

// Windows cannot flush directories, so the store holds none open for it and
// compares no identities.
func holdDir(string) (*os.File, error)    { return nil, nil }
func flushDir(*os.File) error             { return nil }
func identify(*os.File) (identity, error) { return identity{}, nil }

type identity struct{}

// errNotEmpty is why a directory cannot be removed.
var errNotEmpty error = windows.ERROR_DIR_NOT_EMPTY

// fileBasicInfo is FILE_BASIC_INFO of winbase.h.
type fileBasicInfo struct {
	CreationTime, LastAccessTime, LastWriteTime, ChangeTime int64
	FileAttributes                                          uint32
	_                                                       uint32
}

// changeTime is NTFS's ChangeTime, which renames set and programs do not.
func changeTime(f *os.File, fi fs.FileInfo) (time.Time, error) {
	var b fileBasicInfo
	err := windows.GetFileInformationByHandleEx(windows.Handle(f.Fd()), windows.FileBasicInfo,
		(*byte)(unsafe.Pointer(&b)), uint32(unsafe.Sizeof(b)))
	if err != nil {
		return time.Time{}, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	if b.ChangeTime == 0 { // FAT has no change time
		return fi.ModTime(), nil
	}
	ft := windows.Filetime{LowDateTime: uint32(b.ChangeTime), HighDateTime: uint32(b.ChangeTime >> 32)}
	return time.Unix(0, ft.Nanoseconds()), nil
}

func isStale(error) bool { return false }

// setModTime uses the handle that the file was written through. If another
// handle set the time, closing this one would overwrite it.
// https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-setfiletime
func setModTime(f *os.File, at time.Time) error {
	ft := windows.NsecToFiletime(at.UnixNano())
	if err := windows.SetFileTime(windows.Handle(f.Fd()), nil, nil, &ft); err != nil {
		return &fs.PathError{Op: "chtimes", Path: f.Name(), Err: err}
	}
	return nil
}

func replaceFile(f *os.File, path string) error {
	return move(f, path, windows.MOVEFILE_REPLACE_EXISTING)
}

// move renames f, which Windows only allows once it is closed. Write-through
// makes the new name durable, in place of flushing the directory.
func move(f *os.File, path string, flags uint32) error {
	from, err := windows.UTF16PtrFromString(f.Name())
	if err != nil {
		return err
	}
	to, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	f.Close()
	err = retryShared(func() error { return windows.MoveFileEx(from, to, flags|windows.MOVEFILE_WRITE_THROUGH) })
	if err != nil {
		return outcome(&os.LinkError{Op: "rename", Old: f.Name(), New: path, Err: err})
	}
	return nil
}

func removeFile(path string) error {
	return outcome(retryShared(func() error { return os.Remove(path) }))
}

// outcome adds ErrUnknown to the error of a change of names, unless the error
// proves that nothing was changed.
func outcome(err error) error {
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || oserror.Of(err) == oserror.Full {
		return err
	}
	for _, definite := range []error{
		windows.ERROR_SHARING_VIOLATION, windows.ERROR_LOCK_VIOLATION, windows.ERROR_WRITE_PROTECT,
		windows.ERROR_INVALID_NAME, windows.ERROR_FILENAME_EXCED_RANGE, windows.ERROR_NOT_SAME_DEVICE,
		windows.ERROR_DIRECTORY,
	} {
		if errors.Is(err, definite) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", store.ErrUnknown, err)
}

// retryShared repeats a call that fails for a moment because a virus scanner
// or an indexer has the file open.
func retryShared(do func() error) error {
	for wait := time.Millisecond; ; wait *= 2 {
		err := do()
		passing := errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
		if !passing || wait > 500*time.Millisecond {
			return err
		}
		time.Sleep(wait)
	}
}

func mountRefusal(string) error { return nil }

// writeBack does nothing: Windows has no such call.
func writeBack(*os.File, int64, int64) {}

// setDirect fails: Windows cannot change this on an open file.
func setDirect(*os.File, bool) error { return errors.ErrUnsupported }
