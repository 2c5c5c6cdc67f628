package filestore

import (
	"errors"
	"io/fs"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// openShared opens a file for reading so that others may rename and delete it
// meanwhile, as everywhere else.
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

func stat(path string) (fs.FileInfo, time.Time, error) {
	f, err := openShared(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	changed, err := changeTime(f, fi)
	return fi, changed, err
}

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
	if b.ChangeTime == 0 { // FAT has none
		return fi.ModTime(), nil
	}
	ft := windows.Filetime{LowDateTime: uint32(b.ChangeTime), HighDateTime: uint32(b.ChangeTime >> 32)}
	return time.Unix(0, ft.Nanoseconds()), nil
}

func publish(f *os.File, path string) error { return move(f, path, 0) }

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
		return &os.LinkError{Op: "rename", Old: f.Name(), New: path, Err: err}
	}
	return nil
}

func removeFile(path string) error { return retryShared(func() error { return os.Remove(path) }) }

// retryShared repeats what a virus scanner or indexer that has the file open
// makes fail for a moment.
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

func syncDir(string) error { return nil }

func isNotDir(err error) bool { return errors.Is(err, windows.ERROR_PATH_NOT_FOUND) }

func mountRefusal(string) error { return nil }
