// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who takes part
/// @notice The deployer is the coordinator for good; it registers each hospital and each node once.
abstract contract Parties {
    enum Role {
        None,
        Hospital,
        Node
    }

    struct Party {
        Role role;
        bytes publicKey;
    }

    /// @dev Length of an uncompressed P-256 point: 0x04, x, y.
    uint256 internal constant POINT_LENGTH = 65;

    /// @notice The account that registers, opens, closes and ends.
    address public immutable coordinator;

    mapping(address account => Party) private _parties;

    event Registered(address indexed account, Role indexed role, bytes publicKey);

    error NotCoordinator(address sender);
    error AlreadyRegistered(address account);
    error NoRole(address account);
    error WrongRole(address account, Role expected, Role actual);
    error NotAPoint(uint256 length);

    modifier onlyCoordinator() {
        if (msg.sender != coordinator) revert NotCoordinator(msg.sender);
        _;
    }

    constructor() {
        coordinator = msg.sender;
    }

    /// @notice Register `account` for good.
    /// @param publicKey Its long-lived P-256 key, uncompressed.
    function register(address account, Role role, bytes calldata publicKey) external onlyCoordinator {
        if (role == Role.None) revert NoRole(account);
        if (_parties[account].role != Role.None) revert AlreadyRegistered(account);
        _requirePoint(publicKey);
        _setParty(account, role, publicKey);
    }

    /// @notice What is registered under `account`; the role is None for a stranger.
    function partyOf(address account) external view returns (Party memory) {
        return _parties[account];
    }

    /// @dev Reverts unless `account` is registered as `expected`.
    function _requireRole(address account, Role expected) internal view {
        Role actual = _parties[account].role;
        if (actual != expected) revert WrongRole(account, expected, actual);
    }

    /// @dev A shape check only: whether the point lies on the curve is checked by whoever uses it.
    function _requirePoint(bytes calldata key) internal pure {
        if (key.length != POINT_LENGTH || key[0] != 0x04) revert NotAPoint(key.length);
    }

    function _setParty(address account, Role role, bytes calldata publicKey) private {
        _parties[account] = Party(role, publicKey);
        emit Registered(account, role, publicKey);
    }
}
