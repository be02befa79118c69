// SPDX-License-Identifier: Apache-2.0

package gossip

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"

	"github.com/openledger/openledger/p2p/peers"
)

const (
	outQueue        = 600 // messages waiting for one peer
	validateQueue   = 256 // messages waiting for validation
	validateTimeout = 500 * time.Millisecond
	inspectPeriod   = 10 * time.Second
	// seenFor is how long a message id is remembered. Messages circulate for six
	// heartbeats; afterwards the same bytes may be announced again for nodes that
	// came later or could not judge them yet.
	seenFor  = 30 * time.Second
	overhead = 4 << 10 // bytes of an RPC around its message
)

// Errors of Join and Publish.
var (
	// ErrTopic reports a topic that is not on the list or was joined before.
	ErrTopic = errors.New("no such topic")
	// ErrSize reports an empty message or one above the topic's bound.
	ErrSize = errors.New("bad gossip message size")
	// ErrRejected reports an own message that the own validator did not accept.
	ErrRejected = errors.New("own validator refused the message")
)

// Verdict is a validator's answer.
type Verdict int

// The verdicts. Reject only what any node can prove wrong (size, encoding,
// signature): it costs the relaying peer 1,000 points. Ignore what is stale,
// early, a duplicate or cannot be judged yet. Spec: P2P-11.
const (
	Accept Verdict = iota
	Ignore
	Reject
)

// Validator judges one message of a topic. It may run on several goroutines at
// once and must end by itself soon; ctx ends after 500 ms. data is shared: it
// may be kept but not changed. An accepted message is not delivered a second
// time, so the validator also hands it on. It is not called for own messages.
type Validator func(ctx context.Context, from peers.ID, data []byte) Verdict

// Config configures New.
type Config struct {
	Host    host.Host
	Prefix  string                  // "/openledger/<X8>/"
	Score   func(peers.ID) float64  // application score; nil: 0
	Observe func(peers.ID, float64) // total score of each peer, every 10 s; may be nil
	LAN     bool                    // many peers behind one local address are normal
	Logger  *slog.Logger
}

// Router is the gossip of one host. Safe for concurrent use.
type Router struct {
	cfg    Config
	ps     *pubsub.PubSub
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	topics map[Name]*Topic
	scores map[peers.ID]float64 // at the last inspection
}

// New starts the router without topics. Close ends it.
func New(cfg Config) (*Router, error) {
	if cfg.Score == nil {
		cfg.Score = func(peers.ID) float64 { return 0 }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Router{cfg: cfg, ctx: ctx, cancel: cancel, topics: make(map[Name]*Topic)}
	var allowed []string
	for _, n := range names {
		allowed = append(allowed, topicName(cfg.Prefix, n))
	}
	opts := []pubsub.Option{
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithGossipSubParams(gossipParams()),
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerExchange(false),
		pubsub.WithPeerScore(scoreParams(cfg.Prefix, cfg.Score, cfg.LAN), thresholds()),
		pubsub.WithSubscriptionFilter(pubsub.WrapLimitSubscriptionFilter(
			pubsub.NewAllowlistSubscriptionFilter(allowed...), maxSubscriptions)),
		pubsub.WithMaxMessageSize(specs[Tx].max + overhead),
		pubsub.WithSeenMessagesTTL(seenFor),
		pubsub.WithPeerOutboundQueueSize(outQueue),
		pubsub.WithValidateQueueSize(validateQueue),
		pubsub.WithValidateWorkers(runtime.NumCPU()),
		pubsub.WithLogger(cfg.Logger),
		pubsub.WithPeerScoreInspect(r.inspect, inspectPeriod),
	}
	ps, err := pubsub.NewGossipSub(ctx, cfg.Host, opts...)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("gossip: %w", err)
	}
	r.ps = ps
	return r, nil
}

// inspect passes total scores on. pubsub calls it on a goroutine of its own.
func (r *Router) inspect(scores map[peers.ID]float64) {
	r.mu.Lock()
	r.scores = scores
	r.mu.Unlock()
	if r.cfg.Observe == nil {
		return
	}
	for id, s := range scores {
		r.cfg.Observe(id, s)
	}
}

// Score returns the peer's total score at the last inspection, at most 10 s old;
// 0 if unknown. It includes the application score.
func (r *Router) Score(id peers.ID) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.scores[id]
}

// messageID is SHA-256(topic ‖ 0x00 ‖ data), first 20 bytes. Spec: P2P-11.
func messageID(m *pb.Message) string {
	h := sha256.New()
	h.Write([]byte(m.GetTopic()))
	h.Write([]byte{0})
	h.Write(m.GetData())
	return string(h.Sum(nil)[:20])
}

// Topic is a joined topic. Safe for concurrent use.
type Topic struct {
	name  Name
	topic *pubsub.Topic
	sub   *pubsub.Subscription
}

// Join subscribes to a topic and relays what v accepts. Each topic can be
// joined once. Errors: ErrTopic.
func (r *Router) Join(n Name, v Validator) (*Topic, error) {
	s, ok := specs[n]
	if !ok || v == nil {
		return nil, fmt.Errorf("%q: %w", n, ErrTopic)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.topics[n] != nil || r.ctx.Err() != nil {
		return nil, fmt.Errorf("%q is already joined or the router closed: %w", n, ErrTopic)
	}
	full := topicName(r.cfg.Prefix, n)
	err := r.ps.RegisterTopicValidator(full, r.validator(s, v),
		pubsub.WithValidatorTimeout(validateTimeout), pubsub.WithValidatorConcurrency(4*runtime.NumCPU()))
	if err != nil {
		return nil, fmt.Errorf("%q: %w: %w", n, ErrTopic, err)
	}
	t := &Topic{name: n}
	if t.topic, err = r.ps.Join(full); err != nil {
		return nil, fmt.Errorf("%q: %w: %w", n, ErrTopic, err)
	}
	if t.sub, err = t.topic.Subscribe(); err != nil {
		return nil, fmt.Errorf("%q: %w: %w", n, ErrTopic, err)
	}
	r.topics[n] = t
	r.wg.Go(func() { t.drain(r.ctx) })
	return t, nil
}

// validator wraps v with the size bound and lets own messages pass.
func (r *Router) validator(s spec, v Validator) pubsub.ValidatorEx {
	self := r.cfg.Host.ID()
	return func(ctx context.Context, from peers.ID, m *pubsub.Message) pubsub.ValidationResult {
		if len(m.Data) == 0 || len(m.Data) > s.max {
			return pubsub.ValidationReject
		}
		if from == self {
			return pubsub.ValidationAccept
		}
		switch v(ctx, from, m.Data) {
		case Accept:
			return pubsub.ValidationAccept
		case Reject:
			return pubsub.ValidationReject
		}
		return pubsub.ValidationIgnore
	}
}

// drain empties the subscription: pubsub relays only subscribed topics, and the
// validator has already handed the message on.
func (t *Topic) drain(ctx context.Context) {
	for {
		if _, err := t.sub.Next(ctx); err != nil {
			return
		}
	}
}

// Publish sends data to the network. It does not wait for peers and works
// without any. Bytes that this node sent or heard within the last 30 to 90 s are not
// sent again, without an error. Errors: ErrSize, ErrRejected, the context's error.
func (t *Topic) Publish(ctx context.Context, data []byte) error {
	if len(data) == 0 || len(data) > specs[t.name].max {
		return fmt.Errorf("%d bytes on %q: %w", len(data), t.name, ErrSize)
	}
	err := t.topic.Publish(ctx, data)
	var refused pubsub.ValidationError
	if errors.As(err, &refused) {
		return fmt.Errorf("%q: %w: %w", t.name, ErrRejected, err)
	}
	return err
}

// Peers returns the peers known to be subscribed, in no fixed order.
func (t *Topic) Peers() []peers.ID { return t.topic.ListPeers() }

// Close leaves all topics and ends the router. Call it before the host closes.
func (r *Router) Close() {
	r.mu.Lock()
	topics := r.topics
	r.topics = make(map[Name]*Topic)
	r.cancelLocked(topics)
	r.mu.Unlock()
	r.wg.Wait()
}

func (r *Router) cancelLocked(topics map[Name]*Topic) {
	for _, t := range topics {
		t.sub.Cancel()
	}
	r.cancel()
}
