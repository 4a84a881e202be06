package auditlog

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// fileLock is an exclusive lock that all processes which use the same file, and
// all goroutines which use the same fileLock, respect. The lock belongs to the
// open file, so it ends with the process at the latest.
type fileLock struct {
	path string
	mu   sync.Mutex // flock does not tell goroutines of one process apart
	file *os.File   // open from the first lock on
}

// lock waits for the lock. Only one goroutine has it until it calls unlock.
func (l *fileLock) lock() (unlock func() error, err error) {
	l.mu.Lock()
	if err := l.acquire(); err != nil {
		l.mu.Unlock()
		return nil, fmt.Errorf("lock audit log: %w", err)
	}
	return func() error {
		defer l.mu.Unlock()
		return l.release()
	}, nil
}

func (l *fileLock) acquire() (err error) {
	if l.file == nil {
		if l.file, err = os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, fileMode); err != nil {
			return err
		}
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(l.file.Fd()), syscall.LOCK_EX)
	}
	return err
}

// release gives the lock up by closing the file if unlocking fails: a process must
// never keep others out for longer than it works.
func (l *fileLock) release() error {
	if syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN) == nil {
		return nil
	}
	file := l.file
	l.file = nil
	return file.Close()
}
