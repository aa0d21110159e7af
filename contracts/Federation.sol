// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Agreements} from "./Agreements.sol";
import {Anchors} from "./Anchors.sol";
import {Appeals} from "./Appeals.sol";
import {Models} from "./Models.sol";
import {Permissions} from "./Permissions.sol";
import {Records} from "./Records.sol";
import {Registry} from "./Registry.sol";

/// @title The ledger of a federation
/// @notice Hashes, verdicts and votes; never data, updates or shares. This file adds the views to the
/// state machine that the contracts above it make up, and leads to the other contracts.
contract Federation is Agreements {
    struct AttemptView {
        State state;
        uint8 joined;
        uint8 revealed;
        uint8 submitted;
        bool opens;
        bool locked;
        uint64 normBound;
        uint64 deadline;
        bytes32 modelIn;
        bytes32 submissionsRoot;
        bytes32 challenge;
        bytes32 agreedHash;
        bytes32 resultHash;
        string reason;
    }

    Anchors private immutable _anchors;
    Records private immutable _records;

    /// @notice Which models are in use.
    Models public immutable models;
    /// @notice Second looks at rejected submissions.
    Appeals public immutable appeals;

    constructor(Registry registry_, Anchors anchors_, Records records_, Models models_, Appeals appeals_)
        Permissions(registry_)
    {
        _anchors = anchors_;
        _records = records_;
        models = models_;
        appeals = appeals_;
    }

    /// @notice The other contracts of this federation.
    function contracts() external view returns (Registry, Anchors, Records) {
        return (registry, _anchors, _records);
    }

    /// @notice How often `round` of `training` was tried, and whether it is locked.
    function roundOf(bytes32 training, uint32 round) external view returns (Round memory) {
        return _rounds[training][round];
    }

    /// @notice The attempt's record; its state is None if it was never opened.
    function attemptOf(Key calldata key) external view returns (AttemptView memory) {
        Attempt storage attempt = _attempt(key);
        return AttemptView({
            state: attempt.state,
            joined: attempt.joined,
            revealed: attempt.revealed,
            submitted: uint8(attempt.submitters.length),
            opens: attempt.opens,
            locked: _rounds[key.training][key.round].locked,
            normBound: attempt.normBound,
            deadline: attempt.deadline,
            modelIn: attempt.modelIn,
            submissionsRoot: attempt.submissionsRoot,
            challenge: attempt.challenge,
            agreedHash: attempt.agreedHash,
            resultHash: attempt.resultHash,
            reason: attempt.reason
        });
    }

    /// @notice What `hospital` submitted; zero samples if nothing.
    function submissionOf(Key calldata key, address hospital) external view returns (Submission memory) {
        return _attempt(key).submissions[hospital];
    }

    /// @notice All submissions in the order in which they came.
    function submissionsOf(Key calldata key)
        external
        view
        returns (address[] memory hospitals, Submission[] memory submissions)
    {
        Attempt storage attempt = _attempt(key);
        hospitals = attempt.submitters;
        submissions = new Submission[](hospitals.length);
        for (uint256 i = 0; i < hospitals.length; ++i) {
            submissions[i] = attempt.submissions[hospitals[i]];
        }
    }

    /// @notice The seat of `node`; its standing is Absent if it did not join.
    function seatOf(Key calldata key, address node) external view returns (Seat memory) {
        return _attempt(key).seats[node];
    }

    /// @notice The training's nodes in their order, and the seat of each.
    function seatsOf(Key calldata key) external view returns (address[] memory nodes, Seat[] memory seats) {
        nodes = _trainings[key.training].nodes;
        seats = new Seat[](nodes.length);
        for (uint256 i = 0; i < nodes.length; ++i) {
            seats[i] = _attempt(key).seats[nodes[i]];
        }
    }
}
