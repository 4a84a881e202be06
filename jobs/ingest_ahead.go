package jobs

import "io"

// ahead has things of one kind made, one after the other, while those before are in use.
type ahead[T any] struct {
	full  chan made[T]
	empty chan T
	stop  chan struct{}

	last  made[T] // that was asked for
	asked bool
}

// made is a thing, and the error that came with it.
type made[T any] struct {
	thing T
	err   error
}

// newAhead has as many things made ahead as are given. They are made anew, each by itself,
// as often as those that were made before have been used; what comes with an error is the
// last.
func newAhead[T any](again func(T) (T, error), things ...T) *ahead[T] {
	a := &ahead[T]{full: make(chan made[T], len(things)), empty: make(chan T, len(things)), stop: make(chan struct{})}
	for _, t := range things {
		a.empty <- t
	}
	go a.fill(again)
	return a
}

// fill makes things until there is nothing more, or it is stopped.
func (a *ahead[T]) fill(again func(T) (T, error)) {
	defer close(a.full)
	for {
		var m made[T]
		select {
		case m.thing = <-a.empty:
		case <-a.stop:
			return
		}
		m.thing, m.err = again(m.thing)
		a.full <- m // there is room for all of them
		if m.err != nil {
			return
		}
	}
}

// next returns the next thing, which may be used until the next call, or why there is
// none.
func (a *ahead[T]) next() (thing T, err error) {
	if a.last.err != nil {
		return thing, a.last.err
	}
	if a.asked {
		a.empty <- a.last.thing
	}
	a.last, a.asked = <-a.full, true
	return a.last.thing, nil
}

// Close returns when nothing more is made. It may be called once.
func (a *ahead[T]) Close() {
	close(a.stop)
	for range a.full { // until it is closed
	}
}

// aheadReader reads ahead.
type aheadReader struct {
	pieces *ahead[[]byte]
	rest   []byte // of the last piece
}

// readAhead reads, for example decompresses, what comes next while what came before is in
// use. Memory is taken when it is needed: most files are short.
func readAhead(from io.Reader) *aheadReader {
	return &aheadReader{pieces: newAhead(func(piece []byte) ([]byte, error) {
		if piece == nil {
			piece = make([]byte, readSize)
		}
		n, err := readFull(from, piece[:readSize])
		return piece[:n], err
	}, nil, nil)}
}

func (r *aheadReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		var err error
		if r.rest, err = r.pieces.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *aheadReader) Close() { r.pieces.Close() }

// readFull reads until p is full, or returns why it is not. Unlike io.ReadFull it tells
// the end from a stream that was cut off.
func readFull(from io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = from.Read(p[n:])
		n += more
	}
	return n, err
}
