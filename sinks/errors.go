package sinks

import (
	"context"
	"errors"
)

// Errors by which a job tells what kind of failure it met. Stores wrap them.
var (
	// ErrUnavailable: the store did not answer; trying again later may help.
	ErrUnavailable = errors.New("not available")
	// ErrVerification: a check after an effect did not hold.
	ErrVerification = errors.New("verification failed")
	// ErrConflict: somebody else changed what was being worked on.
	ErrConflict = errors.New("changed by somebody else meanwhile")
	// ErrSuppression: more rows would be suppressed than the policy allows.
	ErrSuppression = errors.New("too much would be suppressed")
	// ErrRefused: the store may not delete the object, for example because of a lock.
	ErrRefused = errors.New("refused by the store")
	// ErrInvalidInput: the input cannot be read as what it says it is.
	ErrInvalidInput = errors.New("invalid input")
	// ErrDestroyed: the key is being destroyed, or was when the machine stopped.
	ErrDestroyed = errors.New("destroyed")
	// ErrSourceMissing: the input of an interrupted step is gone.
	ErrSourceMissing = errors.New("the input is gone")
)

// ClassOf returns the error class that stands for err in the audit log.
func ClassOf(err error) ErrorClass {
	for _, c := range []struct {
		err   error
		class ErrorClass
	}{
		{context.Canceled, ErrorInterrupted},
		{context.DeadlineExceeded, ErrorInterrupted},
		{ErrVerification, ErrorVerification},
		{ErrConflict, ErrorConflict},
		{ErrSuppression, ErrorSuppression},
		{ErrRefused, ErrorRefused},
		{ErrInvalidInput, ErrorInvalidInput},
		{ErrSourceMissing, ErrorSourceMissing},
		{ErrUnavailable, ErrorUnavailable},
	} {
		if errors.Is(err, c.err) {
			return c.class
		}
	}
	if err == nil {
		return ""
	}
	return ErrorInternal
}
