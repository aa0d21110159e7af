// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Permissions} from "./Permissions.sol";
import {Registry} from "./Registry.sol";

/// @title What is trained, by whom, and how far it got
/// @notice A training fixes its members, its threshold and, by the policy of its task, its quorum when
/// it opens.
abstract contract Trainings is Permissions {
    enum TrainingState {
        None,
        Open,
        Ended
    }

    struct Training {
        TrainingState state;
        uint8 threshold;
        uint8 quorum;
        uint8 fewestAccepted;
        uint32 nextRound;
        uint32 stepBlocks;
        uint32 attemptsLeft;
        bytes32 task;
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

    /// @dev What a training is opened with. `threshold` is how many nodes together learn nothing;
    /// 2 * threshold + 1 nodes are needed.
    struct Opening {
        bytes32 task;
        bytes32 configHash;
        bytes32 initialModel;
        address[] hospitals;
        address[] nodes;
        uint8 threshold;
    }

    enum Member {
        None,
        Hospital,
        Node
    }

    uint256 internal constant MOST_HOSPITALS = 64;
    uint256 internal constant MOST_NODES = 16;
    uint256 internal constant MOST_REASON = 1024;

    mapping(bytes32 training => Training) internal _trainings;
    mapping(bytes32 training => mapping(address account => Member)) internal _members;

    event TrainingOpened(
        bytes32 indexed training,
        bytes32 indexed task,
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
    error TaskNotAllowed(bytes32 task);

    /// @notice Open `training` among registered parties, by the policy of its task.
    function openTraining(bytes32 training, Opening calldata opening) external onlyCoordinator {
        Training storage entry = _trainings[training];
        if (entry.state != TrainingState.None) revert TrainingExists(training);
        if (opening.configHash == 0 || opening.initialModel == 0) revert EmptyHash();
        uint256 hospitals = opening.hospitals.length;
        uint256 nodes = opening.nodes.length;
        if (hospitals > MOST_HOSPITALS) revert TooMany(MOST_HOSPITALS, hospitals);
        if (nodes > MOST_NODES) revert TooMany(MOST_NODES, nodes);
        if (opening.threshold == 0 || 2 * uint256(opening.threshold) + 1 > nodes) {
            revert WrongThreshold(opening.threshold, nodes);
        }
        _applyPolicy(entry, opening);
        _enrol(training, opening.hospitals, Member.Hospital, HOSPITAL);
        _enrol(training, opening.nodes, Member.Node, NODE);
        entry.state = TrainingState.Open;
        entry.threshold = opening.threshold;
        entry.task = opening.task;
        entry.configHash = opening.configHash;
        entry.initialModel = opening.initialModel;
        entry.model = opening.initialModel;
        entry.hospitals = opening.hospitals;
        entry.nodes = opening.nodes;
        emit TrainingOpened(
            training,
            opening.task,
            opening.configHash,
            opening.initialModel,
            opening.hospitals,
            opening.nodes,
            opening.threshold,
            entry.quorum
        );
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

    function _requireMember(bytes32 training, address account, Member member) internal view {
        if (_members[training][account] != member) revert NotOfThisTraining(account);
    }

    function _requireShort(string memory reason) internal pure {
        uint256 length = bytes(reason).length;
        if (length > MOST_REASON) revert TooMany(MOST_REASON, length);
    }

    function _end(bytes32 training, string memory reason) internal {
        Training storage entry = _requireOpen(training);
        _requireShort(reason);
        entry.state = TrainingState.Ended;
        entry.reason = reason;
        emit TrainingEnded(training, reason);
    }

    /// @dev n >= 3 f + 1 for the faults that the policy wants borne; its quorum counts where it asks
    /// for more than the formula.
    function _applyPolicy(Training storage entry, Opening calldata opening) private {
        Registry.Policy memory policy = registry.policyOf(opening.task);
        if (!policy.allowed) revert TaskNotAllowed(opening.task);
        if (opening.hospitals.length < policy.fewestHospitals) {
            revert TooFew(policy.fewestHospitals, opening.hospitals.length);
        }
        uint256 nodes = opening.nodes.length;
        uint256 borne = 3 * uint256(policy.faults) + 1;
        if (nodes < borne) revert TooFew(borne, nodes);
        if (nodes < policy.quorum) revert TooFew(policy.quorum, nodes);
        uint8 quorum = quorumOf(nodes, opening.threshold);
        entry.quorum = policy.quorum > quorum ? policy.quorum : quorum;
        entry.fewestAccepted = policy.fewestAccepted;
        entry.stepBlocks = policy.stepBlocks;
        entry.attemptsLeft = policy.mostAttempts;
    }

    function _enrol(bytes32 training, address[] calldata accounts, Member member, bytes32 role) private {
        for (uint256 i = 0; i < accounts.length; ++i) {
            _requireRole(role, accounts[i]);
            if (_members[training][accounts[i]] != Member.None) revert Twice(accounts[i]);
            _members[training][accounts[i]] = member;
        }
    }
}
