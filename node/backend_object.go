// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/rpc/api"
)

// manifestFetch bounds how long a caller waits for a manifest that peers have.
const manifestFetch = 10 * time.Second

// object reads one object, with its proof if asked for.
func object[T any](ctx context.Context, n *Node, p api.IDParams, key []byte, get func(state.View, state.ID) (T, error)) (api.Object[T], error) {
	var out api.Object[T]
	height, err := n.readHeight(p.Prove)
	if err != nil {
		return out, err
	}
	v, err := n.chain.ViewAt(height)
	if err != nil {
		return out, err
	}
	out.ID, out.Height = p.ID, height
	if out.Value, err = get(v, p.ID); err != nil {
		return out, clientError(err)
	}
	out.Proof, err = n.proofIf(p.Prove, height, key)
	return out, err
}

// readHeight is the height that a read answers for: the head, or with a proof
// the one below it, whose state root the head's header carries.
func (n *Node) readHeight(prove bool) (uint64, error) {
	head := n.chain.Head().Height
	if !prove {
		return head, nil
	}
	if head == 0 {
		return 0, api.NotFinal("no block is final yet")
	}
	return head - 1, nil
}

func (n *Node) proofIf(wanted bool, height uint64, key []byte) (*api.StateProof, error) {
	if !wanted {
		return nil, nil
	}
	p, err := n.prove(height+1, key)
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// list reads a page of objects by id.
func list[T any](n *Node, p api.Page, get func(state.View, *state.ID, int) ([]state.Entry[T], error)) (api.List[T], error) {
	out := api.List[T]{Items: []api.Item[T]{}}
	v, err := n.view()
	if err != nil {
		return out, err
	}
	var after *state.ID
	if p.Cursor != "" {
		b, err := base64.RawURLEncoding.DecodeString(p.Cursor)
		if err != nil || len(b) != len(state.ID{}) {
			return out, api.BadParams("cursor", "not a cursor of this listing")
		}
		id := state.ID(b)
		after = &id
	}
	entries, err := get(v, after, p.Size())
	if err != nil {
		return out, clientError(err)
	}
	for _, e := range entries {
		out.Items = append(out.Items, api.Item[T]{ID: e.ID, Value: e.Value})
	}
	if len(entries) == p.Size() {
		last := entries[len(entries)-1].ID
		out.Next = base64.RawURLEncoding.EncodeToString(last[:])
	}
	return out, nil
}

// AccountGet implements api.ObjectBackend.
func (n *Node) AccountGet(ctx context.Context, p api.AccountParams) (api.AccountView, error) {
	height, err := n.readHeight(p.Prove)
	if err != nil {
		return api.AccountView{}, err
	}
	v, err := n.chain.ViewAt(height)
	if err != nil {
		return api.AccountView{}, err
	}
	a, err := state.GetAccount(v, p.Address)
	if err != nil {
		return api.AccountView{}, err
	}
	waiting, _ := n.pool.OfSender(p.Address, a.Nonce)
	out := api.AccountView{Address: p.Address, Balance: a.Free, Nonce: a.Nonce, Pending: waiting, Height: height}
	op, err := state.GetOperator(v, p.Address)
	if err == nil {
		out.Operator = &op
	} else if !errors.Is(err, state.ErrUnknown) {
		return out, err
	}
	out.Proof, err = n.proofIf(p.Prove, height, state.AccountKey(p.Address))
	return out, err
}

// DatanetGet implements api.ObjectBackend.
func (n *Node) DatanetGet(ctx context.Context, p api.IDParams) (api.Object[state.Datanet], error) {
	return object(ctx, n, p, state.DatanetKey(p.ID), state.GetDatanet)
}

// DatanetList implements api.ObjectBackend.
func (n *Node) DatanetList(_ context.Context, p api.Page) (api.List[state.Datanet], error) {
	return list(n, p, state.ListDatanets)
}

// DatasetGet implements api.ObjectBackend.
func (n *Node) DatasetGet(ctx context.Context, p api.IDParams) (api.Object[state.Dataset], error) {
	return object(ctx, n, p, state.DatasetKey(p.ID), state.GetDataset)
}

// DatasetList implements api.ObjectBackend. A filter is applied to each page.
func (n *Node) DatasetList(_ context.Context, p api.DatasetListParams) (api.List[state.Dataset], error) {
	out, err := list(n, p.Page, state.ListDatasets)
	if err != nil || (p.Datanet == nil && p.Owner == nil) {
		return out, err
	}
	kept := []api.Item[state.Dataset]{}
	for _, it := range out.Items {
		if (p.Datanet == nil || it.Value.Datanet == *p.Datanet) && (p.Owner == nil || it.Value.Owner == *p.Owner) {
			kept = append(kept, it)
		}
	}
	out.Items = kept
	return out, nil
}

// DatasetManifest implements api.ObjectBackend. A manifest that was not heard of
// by gossip is fetched from peers by its id on the ledger.
func (n *Node) DatasetManifest(ctx context.Context, p api.IDParams) (api.DatasetManifest, error) {
	v, err := n.view()
	if err != nil {
		return api.DatasetManifest{}, err
	}
	d, err := state.GetDataset(v, p.ID)
	if err != nil {
		return api.DatasetManifest{}, clientError(err)
	}
	out := api.DatasetManifest{ID: p.ID, Content: d.Content, Providers: []string{}, Local: n.blobs.Has(d.Content)}
	if a, ok := n.objects.get(n.chain.Env().ChainID, p.ID); ok {
		out.Manifest, out.Providers = a.Manifest, append(out.Providers, a.Providers...)
		return out, nil
	}
	ctx, cancel := context.WithTimeout(ctx, manifestFetch)
	defer cancel()
	if out.Manifest, err = n.Content(ctx, p.ID, d.Manifest, publish.MaxManifest); err != nil {
		n.log.Debug("fetch manifest", "dataset", p.ID, "err", err)
		return out, api.NotFound("manifest of dataset " + p.ID.String())
	}
	return out, nil
}

// DatasetAnnounce implements api.ObjectBackend.
func (n *Node) DatasetAnnounce(ctx context.Context, p api.AnnounceParams) (api.Empty, error) {
	return api.Empty{}, clientError(n.announce(ctx, p.Announcement))
}

// LicenceGet implements api.ObjectBackend.
func (n *Node) LicenceGet(ctx context.Context, p api.IDParams) (api.Object[state.Terms], error) {
	return object(ctx, n, p, state.TermsKey(p.ID), state.GetTerms)
}

// LicenceList implements api.ObjectBackend.
func (n *Node) LicenceList(_ context.Context, p api.Page) (api.List[state.Terms], error) {
	return list(n, p, state.ListTerms)
}

// ModelGet implements api.ObjectBackend.
func (n *Node) ModelGet(ctx context.Context, p api.IDParams) (api.Object[state.Model], error) {
	return object(ctx, n, p, state.ModelKey(p.ID), state.GetModel)
}

// ModelList implements api.ObjectBackend.
func (n *Node) ModelList(_ context.Context, p api.Page) (api.List[state.Model], error) {
	return list(n, p, state.ListModels)
}

// TaskGet implements api.ObjectBackend.
func (n *Node) TaskGet(ctx context.Context, p api.IDParams) (api.Object[task.Task], error) {
	return object(ctx, n, p, state.TaskKey(p.ID), state.GetTask)
}

// TaskList implements api.ObjectBackend.
func (n *Node) TaskList(_ context.Context, p api.Page) (api.List[task.Task], error) {
	return list(n, p, state.ListTasks)
}

// ComputeOperators implements api.ObjectBackend.
func (n *Node) ComputeOperators(_ context.Context, p api.Page) (api.List[state.Operator], error) {
	return list(n, p, state.ListOperators)
}

// ComputeOffers implements api.ObjectBackend.
func (n *Node) ComputeOffers(_ context.Context, p api.Page) (api.List[state.Offer], error) {
	return list(n, p, state.ListOffers)
}

// ChannelList implements api.ObjectBackend.
func (n *Node) ChannelList(_ context.Context, p api.Page) (api.List[channel.Channel], error) {
	return list(n, p, state.ListChannels)
}

// InferCommits implements api.ObjectBackend.
func (n *Node) InferCommits(_ context.Context, p api.Page) (api.List[receipt.Commit], error) {
	return list(n, p, state.ListCommits)
}

// PoaReport implements api.ObjectBackend; the id is the model's.
func (n *Node) PoaReport(ctx context.Context, p api.IDParams) (api.Object[state.Attribution], error) {
	return object(ctx, n, p, state.AttributionKey(p.ID), state.GetAttribution)
}
