// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Parties} from "./Parties.sol";

/// @title What is trained, by whom, and how far it got
/// @notice A training fixes its members, its threshold and thereby its quorum when it opens.
abstract contract Trainings is Parties {
    enum TrainingState {
        None,
        Open,
        Ended
    }

    struct Training {
        TrainingState state;
        uint8 threshold;
        uint8 quorum;
        uint32 nextRound;
        bytes32 configHash;
        bytes32 initialModel;
        bytes32 model;
        bytes32 statistics;
        bytes32 slices;
        uint64 normBound;
        address[] hospitals;
        address[] nodes;
        string reason;
    }

    uint256 internal constant LEAST_HOSPITALS = 3;
    uint256 internal constant MOST_HOSPITALS = 64;
    uint256 internal constant MOST_NODES = 16;
    uint256 internal constant MOST_REASON = 1024;

    mapping(bytes32 training => Training) internal _trainings;
    mapping(bytes32 training => mapping(address account => Role)) internal _members;

    event TrainingOpened(
        bytes32 indexed training,
        bytes32 configHash,
        bytes32 initialModel,
        address[] hospitals,
        address[] nodes,
        uint8 threshold,
        uint8 quorum
    );
    event TrainingEnded(bytes32 indexed training, string reason);

    error TrainingExists(bytes32 training);
    error TrainingNotOpen(bytes32 training);
    error TooFew(uint256 least, uint256 actual);
    error TooMany(uint256 most, uint256 actual);
    error WrongThreshold(uint8 threshold, uint256 nodes);
    error Twice(address account);
    error NotOfThisTraining(address account);
    error EmptyHash();

    /// @notice Open `training` among registered parties.
    /// @param threshold How many nodes together learn nothing; 2 * threshold + 1 nodes are needed.
    function openTraining(
        bytes32 training,
        bytes32 configHash,
        bytes32 initialModel,
        address[] calldata hospitals,
        address[] calldata nodes,
        uint8 threshold
    ) external onlyCoordinator {
        Training storage entry = _trainings[training];
        if (entry.state != TrainingState.None) revert TrainingExists(training);
        if (configHash == 0 || initialModel == 0) revert EmptyHash();
        if (hospitals.length < LEAST_HOSPITALS) revert TooFew(LEAST_HOSPITALS, hospitals.length);
        if (hospitals.length > MOST_HOSPITALS) revert TooMany(MOST_HOSPITALS, hospitals.length);
        if (nodes.length > MOST_NODES) revert TooMany(MOST_NODES, nodes.length);
        if (threshold == 0 || 2 * uint256(threshold) + 1 > nodes.length) {
            revert WrongThreshold(threshold, nodes.length);
        }
        _enrol(training, hospitals, Role.Hospital);
        _enrol(training, nodes, Role.Node);
        entry.state = TrainingState.Open;
        entry.threshold = threshold;
        entry.quorum = quorumOf(nodes.length, threshold);
        entry.configHash = configHash;
        entry.initialModel = initialModel;
        entry.model = initialModel;
        entry.hospitals = hospitals;
        entry.nodes = nodes;
        emit TrainingOpened(training, configHash, initialModel, hospitals, nodes, threshold, entry.quorum);
    }

    /// @notice The training's record; its state is None if it was never opened.
    function trainingOf(bytes32 training) external view returns (Training memory) {
        return _trainings[training];
    }

    /// @notice floor((n + f) / 2) + 1 with e = floor((n - t - 1) / 2), f = min(e, floor((n - 1) / 3)).
    /// @dev Two quorums then share a node that follows the protocol, if at most f do not.
    function quorumOf(uint256 n, uint256 t) public pure returns (uint8) {
        uint256 e = (n - t - 1) / 2;
        uint256 f = (n - 1) / 3;
        if (e < f) f = e;
        return uint8((n + f) / 2 + 1);
    }

    function _requireOpen(bytes32 training) internal view returns (Training storage entry) {
        entry = _trainings[training];
        if (entry.state != TrainingState.Open) revert TrainingNotOpen(training);
    }

    function _requireMember(bytes32 training, address account, Role role) internal view {
        if (_members[training][account] != role) revert NotOfThisTraining(account);
    }

    function _requireShort(string calldata reason) internal pure {
        uint256 length = bytes(reason).length;
        if (length > MOST_REASON) revert TooMany(MOST_REASON, length);
    }

    function _end(bytes32 training, string calldata reason) internal {
        Training storage entry = _requireOpen(training);
        _requireShort(reason);
        entry.state = TrainingState.Ended;
        entry.reason = reason;
        emit TrainingEnded(training, reason);
    }

    function _enrol(bytes32 training, address[] calldata accounts, Role role) private {
        for (uint256 i = 0; i < accounts.length; ++i) {
            _requireRole(accounts[i], role);
            if (_members[training][accounts[i]] != Role.None) revert Twice(accounts[i]);
            _members[training][accounts[i]] = role;
        }
    }
}
