package jobs

import "io"

// readAhead reads, and decompresses, the next bytes of a source while those before them
// are being decoded.
type readAhead struct {
	from  io.Reader
	full  chan piece
	empty chan []byte
	stop  chan struct{}

	last piece // that was asked for
}

// piece is what one read has given, and the error that came with it.
type piece struct {
	bytes []byte
	err   error
}

// piecesAhead is how many pieces of readSize are read ahead.
const piecesAhead = 2

func newReadAhead(from io.Reader) *readAhead {
	r := &readAhead{from: from, full: make(chan piece, piecesAhead), empty: make(chan []byte, piecesAhead), stop: make(chan struct{})}
	for range piecesAhead {
		r.empty <- nil // most files are short: memory is taken when it is needed
	}
	go r.fill()
	return r
}

// fill reads until there is nothing more, or it is stopped.
func (r *readAhead) fill() {
	defer close(r.full)
	for {
		var buffer []byte
		select {
		case buffer = <-r.empty:
		case <-r.stop:
			return
		}
		if buffer == nil {
			buffer = make([]byte, readSize)
		}
		n, err := 0, error(nil)
		for n < readSize && err == nil {
			var more int
			more, err = r.from.Read(buffer[n:readSize])
			n += more
		}
		r.full <- piece{buffer[:n], err} // there is room for all of them
		if err != nil {
			return
		}
	}
}

// next returns the next piece, valid until the next call, or why there is none.
func (r *readAhead) next() ([]byte, error) {
	if r.last.err != nil {
		return nil, r.last.err
	}
	if r.last.bytes != nil {
		r.empty <- r.last.bytes[:cap(r.last.bytes)]
	}
	if r.last = <-r.full; len(r.last.bytes) == 0 {
		return nil, r.last.err
	}
	return r.last.bytes, nil
}

// Close returns when nothing more is read. It may be called once.
func (r *readAhead) Close() {
	close(r.stop)
	for range r.full { // until it is closed
	}
}
