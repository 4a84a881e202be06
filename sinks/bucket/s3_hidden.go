package bucket

import (
	"context"
	"maps"
	"slices"

	"github.com/facesoft/lapse/sinks"
)

var _ sinks.HidingBucket = (*S3)(nil)

// hidden is what is known of a key while a bucket is listed.
type hidden struct {
	newest  sinks.Version
	visible bool // there is an object
	page    int  // the last one that the key was on
}

// Hidden implements sinks.HidingBucket. Uploads are left out where the store lists them
// only to who names their keys.
func (s *S3) Hidden(ctx context.Context, each func(sinks.Object) error) error {
	open := map[string]*hidden{} // keys whose list may go on: those of the last page
	settle := func(before int) error {
		for key, h := range open {
			if h.page >= before {
				continue
			}
			delete(open, key)
			if h.visible {
				continue
			}
			if err := each(sinks.Object{Key: key, Bytes: h.newest.Bytes, Modified: h.newest.Modified}); err != nil {
				return err
			}
		}
		return nil
	}
	number := 0
	for page, err := range s.versionPages(ctx, "", "", s.page) {
		if err != nil {
			return err
		}
		number++
		for _, v := range page {
			h := open[v.Key]
			if h == nil {
				h = &hidden{newest: v}
				open[v.Key] = h
			}
			h.page = number
			h.visible = h.visible || v.Latest && v.Kind == sinks.ObjectVersion
			if v.Modified.After(h.newest.Modified) {
				h.newest = v
			}
		}
		if err := settle(number); err != nil {
			return err
		}
	}
	if err := settle(number + 1); err != nil || s.wire.byKey.Load() {
		return err
	}
	return s.hiddenUploads(ctx, each)
}

// hiddenUploads finds the keys under which there is nothing but unfinished uploads.
func (s *S3) hiddenUploads(ctx context.Context, each func(sinks.Object) error) error {
	last := "" // a key's uploads follow each other, also from one page to the next
	for page, err := range s.uploadPages(ctx, "", "", s.page) {
		if err != nil {
			return err
		}
		newest := map[string]sinks.Version{}
		for _, v := range page {
			if v.Key != last && !v.Modified.Before(newest[v.Key].Modified) {
				newest[v.Key] = v
			}
		}
		last = page[len(page)-1].Key
		err := s.Versions(ctx, slices.Collect(maps.Keys(newest)), func(v sinks.Version) error {
			if v.Kind != sinks.UnfinishedUpload {
				delete(newest, v.Key)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for key, v := range newest {
			if err := each(sinks.Object{Key: key, Bytes: v.Bytes, Modified: v.Modified}); err != nil {
				return err
			}
		}
	}
	return nil
}
