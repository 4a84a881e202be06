package main

import (
	"context"
	"errors"
	"sync"

	"github.com/facesoft/lapse/config"
	"github.com/facesoft/lapse/sinks"
)

// stores keeps an installation open for everything that a service does. It is opened
// when it is first needed, and anew after a store has not answered or the policy has
// changed; whoever works with the old one ends with it.
type stores struct {
	app *app

	mu      sync.Mutex
	policy  *config.Policy
	current *shared
	opening chan struct{} // holds a token; whoever has it opens
}

// shared is an installation with its users. It is closed by the last, once it is stale.
type shared struct {
	*installation
	users int
	stale bool
}

func newStores(a *app, p *config.Policy) *stores {
	s := &stores{app: a, policy: p, opening: make(chan struct{}, 1)}
	s.opening <- struct{}{}
	return s
}

// Policy returns the policy that is carried out.
func (s *stores) Policy() *config.Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policy
}

// Use calls work with an open installation. If a store does not answer, the next call
// opens anew.
func (s *stores) Use(ctx context.Context, work func(*installation) error) error {
	i, err := s.take(ctx)
	if err != nil {
		return err
	}
	err = work(i.installation)
	if errors.Is(err, sinks.ErrUnavailable) {
		s.renew(i)
	}
	return errors.Join(err, s.giveBack(i))
}

// take returns the open installation, or opens one.
func (s *stores) take(ctx context.Context) (*shared, error) {
	select {
	case <-s.opening:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { s.opening <- struct{}{} }()
	s.mu.Lock()
	current, p := s.current, s.policy
	if current != nil {
		current.users++
	}
	s.mu.Unlock()
	if current != nil {
		return current, nil
	}
	i, err := s.app.openFor(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := i.openLog(ctx); err != nil {
		return nil, errors.Join(err, i.Close())
	}
	opened := &shared{installation: i, users: 1}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = opened
	return opened, nil
}

func (s *stores) giveBack(i *shared) error {
	s.mu.Lock()
	i.users--
	ended := i.users == 0 && i.stale
	s.mu.Unlock()
	if !ended {
		return nil
	}
	return i.Close()
}

// renew sees to it that nobody else begins to work with i.
func (s *stores) renew(i *shared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i.stale = true
	if s.current == i {
		s.current = nil
	}
}

// Adopt makes every later use go by another policy.
func (s *stores) Adopt(p *config.Policy) {
	s.mu.Lock()
	i := s.current
	s.policy = p
	if i != nil {
		i.users++
	}
	s.mu.Unlock()
	if i == nil {
		return
	}
	s.renew(i)
	if err := s.giveBack(i); err != nil {
		s.app.log.Warn("the stores were not closed in good order", "error", err)
	}
}

// Open reports whether an installation is open.
func (s *stores) Open() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current != nil
}

// Close closes the installation once nobody uses it.
func (s *stores) Close() error {
	s.mu.Lock()
	i := s.current
	s.current = nil
	var unused bool
	if i != nil {
		i.stale = true
		unused = i.users == 0
	}
	s.mu.Unlock()
	if !unused {
		return nil
	}
	return i.Close()
}
