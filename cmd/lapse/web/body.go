package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// acceptable refuses a request by its headers, before anything of its body is read,
// which has to be of one of the media types.
func acceptable(r *http.Request, l Limits, media ...string) *refusal {
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(media, kind) {
		return &refusal{status: http.StatusUnsupportedMediaType, index: -1, text: "send the body as " + strings.Join(media, " or ")}
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return &refusal{status: http.StatusUnsupportedMediaType, index: -1, text: "send the body in UTF-8"}
	}
	if _, ok := compressed(r); !ok {
		return &refusal{status: http.StatusUnsupportedMediaType, index: -1, text: "send the body as it is, or compressed with gzip"}
	}
	if r.ContentLength > int64(l.BatchBytes) {
		return tooLarge(l)
	}
	return nil
}

// mediaOf returns the media type of a request's body.
func mediaOf(r *http.Request) string {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // an error leaves it empty
	return kind
}

func tooLarge(l Limits) *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, index: -1, text: fmt.Sprintf("the body is larger than %d bytes", l.BatchBytes)}
}

// compressed reports whether the body is compressed, and whether in a known way.
func compressed(r *http.Request) (gzipped, known bool) {
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity":
		return false, true
	case "gzip":
		return true, true
	}
	return false, false
}

var decompressors = sync.Pool{New: func() any { return new(gzip.Reader) }}

// readBody reads a body into dst. Whatever its compression, no more than a byte
// beyond the limit is read or decompressed.
func readBody(w http.ResponseWriter, r *http.Request, dst *bytes.Buffer, l Limits) *refusal {
	raw := http.MaxBytesReader(w, r.Body, int64(l.BatchBytes))
	content := io.Reader(raw)
	if gzipped, _ := compressed(r); gzipped {
		z := decompressors.Get().(*gzip.Reader)
		defer decompressors.Put(z)
		if err := z.Reset(raw); err != nil {
			return unreadable(err, l)
		}
		content = z
	} else if r.ContentLength > 0 {
		dst.Grow(int(r.ContentLength) + bytes.MinRead) // acceptable has bounded it
	}
	if _, err := dst.ReadFrom(io.LimitReader(content, int64(l.BatchBytes)+1)); err != nil {
		return unreadable(err, l)
	}
	if dst.Len() > l.BatchBytes {
		return tooLarge(l)
	}
	return nil
}

// unreadable says what an error in reading a body means for the sender.
func unreadable(err error, l Limits) *refusal {
	var beyond *http.MaxBytesError
	switch {
	case errors.As(err, &beyond):
		return tooLarge(l)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{status: http.StatusRequestTimeout, index: -1, text: "the body did not arrive in time"}
	}
	return &refusal{status: http.StatusBadRequest, index: -1, text: "the body cannot be read to its end, or not decompressed"}
}
