// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"slices"

	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/ledger/receipt"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/task"
	"github.com/openledger/openledger/rpc/api"
)

var _ api.Backend = (*Client)(nil)

// NodeStatus calls node_status.
func (c *Client) NodeStatus(ctx context.Context, p api.Empty) (api.NodeStatus, error) {
	return call[api.Empty, api.NodeStatus](ctx, c, "node_status", p)
}

// NodePeers calls node_peers.
func (c *Client) NodePeers(ctx context.Context, p api.Empty) (api.NodePeers, error) {
	return call[api.Empty, api.NodePeers](ctx, c, "node_peers", p)
}

// NodeDoctor calls node_doctor.
func (c *Client) NodeDoctor(ctx context.Context, p api.Empty) (api.NodeDoctor, error) {
	return call[api.Empty, api.NodeDoctor](ctx, c, "node_doctor", p)
}

// AdminStop calls admin_stop.
func (c *Client) AdminStop(ctx context.Context, p api.Empty) (api.Empty, error) {
	return call[api.Empty, api.Empty](ctx, c, "admin_stop", p)
}

// AdminResume calls admin_resume.
func (c *Client) AdminResume(ctx context.Context, p api.ResumeParams) (api.Resume, error) {
	return call[api.ResumeParams, api.Resume](ctx, c, "admin_resume", p)
}

// ChainHead calls chain_head.
func (c *Client) ChainHead(ctx context.Context, p api.Empty) (api.ChainHead, error) {
	return call[api.Empty, api.ChainHead](ctx, c, "chain_head", p)
}

// ChainHeader calls chain_header.
func (c *Client) ChainHeader(ctx context.Context, p api.HeightParams) (api.ChainHeader, error) {
	return call[api.HeightParams, api.ChainHeader](ctx, c, "chain_header", p)
}

// ChainBlock calls chain_block.
func (c *Client) ChainBlock(ctx context.Context, p api.HeightParams) (api.ChainBlock, error) {
	return call[api.HeightParams, api.ChainBlock](ctx, c, "chain_block", p)
}

// ChainGenesis calls chain_genesis.
func (c *Client) ChainGenesis(ctx context.Context, p api.Empty) (api.ChainGenesis, error) {
	return call[api.Empty, api.ChainGenesis](ctx, c, "chain_genesis", p)
}

// ChainParams calls chain_params.
func (c *Client) ChainParams(ctx context.Context, p api.Empty) (api.ChainParams, error) {
	return call[api.Empty, api.ChainParams](ctx, c, "chain_params", p)
}

// ChainSeals calls chain_seals.
func (c *Client) ChainSeals(ctx context.Context, p api.SealsParams) (api.ChainSeals, error) {
	return call[api.SealsParams, api.ChainSeals](ctx, c, "chain_seals", p)
}

// ChainValidators calls chain_validators.
func (c *Client) ChainValidators(ctx context.Context, p api.Empty) (api.ChainValidators, error) {
	return call[api.Empty, api.ChainValidators](ctx, c, "chain_validators", p)
}

// ChainSupply calls chain_supply.
func (c *Client) ChainSupply(ctx context.Context, p api.Empty) (api.ChainSupply, error) {
	return call[api.Empty, api.ChainSupply](ctx, c, "chain_supply", p)
}

// ChainEvents calls chain_events.
func (c *Client) ChainEvents(ctx context.Context, p api.EventsParams) (api.ChainEvents, error) {
	return call[api.EventsParams, api.ChainEvents](ctx, c, "chain_events", p)
}

// ChainProof calls chain_proof.
func (c *Client) ChainProof(ctx context.Context, p api.ProofParams) (api.StateProof, error) {
	return call[api.ProofParams, api.StateProof](ctx, c, "chain_proof", p)
}

// TxSubmitAll calls tx_submit for each, as batches of at most 100.
func (c *Client) TxSubmitAll(ctx context.Context, list []api.TxSubmitParams) (out []api.TxStatus, errs []error) {
	for part := range slices.Chunk(list, maxBatch) {
		o, e := callAll[api.TxSubmitParams, api.TxStatus](ctx, c, "tx_submit", part)
		out, errs = append(out, o...), append(errs, e...)
	}
	return out, errs
}

// TxSubmit calls tx_submit.
func (c *Client) TxSubmit(ctx context.Context, p api.TxSubmitParams) (api.TxStatus, error) {
	return call[api.TxSubmitParams, api.TxStatus](ctx, c, "tx_submit", p)
}

// TxBuild calls tx_build.
func (c *Client) TxBuild(ctx context.Context, p api.TxBuildParams) (api.TxBuilt, error) {
	return call[api.TxBuildParams, api.TxBuilt](ctx, c, "tx_build", p)
}

// TxSimulate calls tx_simulate.
func (c *Client) TxSimulate(ctx context.Context, p api.TxBytes) (api.TxSimulated, error) {
	return call[api.TxBytes, api.TxSimulated](ctx, c, "tx_simulate", p)
}

// TxGet calls tx_get.
func (c *Client) TxGet(ctx context.Context, p api.TxGetParams) (api.TxStatus, error) {
	return call[api.TxGetParams, api.TxStatus](ctx, c, "tx_get", p)
}

// TxDecode calls tx_decode.
func (c *Client) TxDecode(ctx context.Context, p api.TxBytes) (api.TxDecoded, error) {
	return call[api.TxBytes, api.TxDecoded](ctx, c, "tx_decode", p)
}

// TxPending calls tx_pending.
func (c *Client) TxPending(ctx context.Context, p api.TxPendingParams) (api.TxPending, error) {
	return call[api.TxPendingParams, api.TxPending](ctx, c, "tx_pending", p)
}

// TxFee calls tx_fee.
func (c *Client) TxFee(ctx context.Context, p api.Empty) (api.TxFee, error) {
	return call[api.Empty, api.TxFee](ctx, c, "tx_fee", p)
}

// FaucetRequest calls faucet_request.
func (c *Client) FaucetRequest(ctx context.Context, p api.FaucetParams) (api.TxStatus, error) {
	return call[api.FaucetParams, api.TxStatus](ctx, c, "faucet_request", p)
}

// AccountGet calls account_get.
func (c *Client) AccountGet(ctx context.Context, p api.AccountParams) (api.AccountView, error) {
	return call[api.AccountParams, api.AccountView](ctx, c, "account_get", p)
}

// AccountPayouts calls account_payouts.
func (c *Client) AccountPayouts(ctx context.Context, p api.AccountParams) (api.AccountPayouts, error) {
	return call[api.AccountParams, api.AccountPayouts](ctx, c, "account_payouts", p)
}

// DatanetGet calls datanet_get.
func (c *Client) DatanetGet(ctx context.Context, p api.IDParams) (api.Object[state.Datanet], error) {
	return call[api.IDParams, api.Object[state.Datanet]](ctx, c, "datanet_get", p)
}

// DatanetList calls datanet_list.
func (c *Client) DatanetList(ctx context.Context, p api.Page) (api.List[state.Datanet], error) {
	return call[api.Page, api.List[state.Datanet]](ctx, c, "datanet_list", p)
}

// DatasetGet calls dataset_get.
func (c *Client) DatasetGet(ctx context.Context, p api.IDParams) (api.Object[state.Dataset], error) {
	return call[api.IDParams, api.Object[state.Dataset]](ctx, c, "dataset_get", p)
}

// DatasetList calls dataset_list.
func (c *Client) DatasetList(ctx context.Context, p api.DatasetListParams) (api.List[state.Dataset], error) {
	return call[api.DatasetListParams, api.List[state.Dataset]](ctx, c, "dataset_list", p)
}

// DatasetManifest calls dataset_manifest.
func (c *Client) DatasetManifest(ctx context.Context, p api.IDParams) (api.DatasetManifest, error) {
	return call[api.IDParams, api.DatasetManifest](ctx, c, "dataset_manifest", p)
}

// DatasetAnnounce calls dataset_announce.
func (c *Client) DatasetAnnounce(ctx context.Context, p api.AnnounceParams) (api.Empty, error) {
	return call[api.AnnounceParams, api.Empty](ctx, c, "dataset_announce", p)
}

// LicenceGet calls licence_get.
func (c *Client) LicenceGet(ctx context.Context, p api.IDParams) (api.Object[state.Terms], error) {
	return call[api.IDParams, api.Object[state.Terms]](ctx, c, "licence_get", p)
}

// LicenceList calls licence_list.
func (c *Client) LicenceList(ctx context.Context, p api.Page) (api.List[state.Terms], error) {
	return call[api.Page, api.List[state.Terms]](ctx, c, "licence_list", p)
}

// ModelGet calls model_get.
func (c *Client) ModelGet(ctx context.Context, p api.IDParams) (api.Object[state.Model], error) {
	return call[api.IDParams, api.Object[state.Model]](ctx, c, "model_get", p)
}

// ModelList calls model_list.
func (c *Client) ModelList(ctx context.Context, p api.Page) (api.List[state.Model], error) {
	return call[api.Page, api.List[state.Model]](ctx, c, "model_list", p)
}

// TaskGet calls task_get.
func (c *Client) TaskGet(ctx context.Context, p api.IDParams) (api.Object[task.Task], error) {
	return call[api.IDParams, api.Object[task.Task]](ctx, c, "task_get", p)
}

// TaskList calls task_list.
func (c *Client) TaskList(ctx context.Context, p api.Page) (api.List[task.Task], error) {
	return call[api.Page, api.List[task.Task]](ctx, c, "task_list", p)
}

// ChainCandidates calls chain_candidates.
func (c *Client) ChainCandidates(ctx context.Context, p api.Page) (api.List[state.Candidate], error) {
	return call[api.Page, api.List[state.Candidate]](ctx, c, "chain_candidates", p)
}

// AccountStake calls account_stake.
func (c *Client) AccountStake(ctx context.Context, p api.StakeParams) (api.StakeView, error) {
	return call[api.StakeParams, api.StakeView](ctx, c, "account_stake", p)
}

// ComputeOperators calls compute_operators.
func (c *Client) ComputeOperators(ctx context.Context, p api.Page) (api.List[state.Operator], error) {
	return call[api.Page, api.List[state.Operator]](ctx, c, "compute_operators", p)
}

// ComputeOffers calls compute_offers.
func (c *Client) ComputeOffers(ctx context.Context, p api.Page) (api.List[state.Offer], error) {
	return call[api.Page, api.List[state.Offer]](ctx, c, "compute_offers", p)
}

// ChannelGet calls channel_get.
func (c *Client) ChannelGet(ctx context.Context, p api.IDParams) (api.ChannelView, error) {
	return call[api.IDParams, api.ChannelView](ctx, c, "channel_get", p)
}

// ChannelList calls channel_list.
func (c *Client) ChannelList(ctx context.Context, p api.Page) (api.List[channel.Channel], error) {
	return call[api.Page, api.List[channel.Channel]](ctx, c, "channel_list", p)
}

// InferCommits calls infer_commits.
func (c *Client) InferCommits(ctx context.Context, p api.Page) (api.List[receipt.Commit], error) {
	return call[api.Page, api.List[receipt.Commit]](ctx, c, "infer_commits", p)
}

// PoaReport calls poa_report.
func (c *Client) PoaReport(ctx context.Context, p api.IDParams) (api.Object[state.Attribution], error) {
	return call[api.IDParams, api.Object[state.Attribution]](ctx, c, "poa_report", p)
}

// InferModels calls infer_models.
func (c *Client) InferModels(ctx context.Context, p api.Empty) (api.InferModels, error) {
	return call[api.Empty, api.InferModels](ctx, c, "infer_models", p)
}

// InferRun calls infer_run.
func (c *Client) InferRun(ctx context.Context, p api.InferParams) (api.InferAnswer, error) {
	return call[api.InferParams, api.InferAnswer](ctx, c, "infer_run", p)
}

// PoaWhy calls poa_why.
func (c *Client) PoaWhy(ctx context.Context, p api.WhyParams) (api.Why, error) {
	return call[api.WhyParams, api.Why](ctx, c, "poa_why", p)
}

// PoaClaim calls poa_claim.
func (c *Client) PoaClaim(ctx context.Context, p api.ClaimParams) (api.Claim, error) {
	return call[api.ClaimParams, api.Claim](ctx, c, "poa_claim", p)
}
