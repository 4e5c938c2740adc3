// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// The exchange of the workload in one contract. What a swap reads of a pool fits one slot, as in
/// Uniswap V2, so that it costs one cold read and one write.
contract Dex {
    struct Pool {
        uint112 a;
        uint112 b;
        uint16 feePerMille;
        bool enabled;
    }

    address immutable owner = msg.sender;

    mapping(uint256 => Pool) public pools;
    mapping(address => mapping(uint256 => uint256)) public balances;

    event Swap(uint256 indexed pool, address indexed trader, bool reversed, uint256 amountIn, uint256 out);

    error NotOwner();
    error Disabled();
    error InsufficientBalance();
    error InsufficientLiquidity();
    error OutTooSmall();
    error K();

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner();
        _;
    }

    function createPool(uint256 pool, uint112 a, uint112 b, uint16 feePerMille) external onlyOwner {
        pools[pool] = Pool(a, b, feePerMille, true);
    }

    function credit(address trader, uint256 amount) external onlyOwner {
        balances[trader][0] += amount;
        balances[trader][1] += amount;
    }

    function swap(uint256 pool, bool reversed, uint256 amountIn, uint256 minOut) external returns (uint256 out) {
        Pool memory state = pools[pool];
        if (!state.enabled) revert Disabled();
        (uint256 x, uint256 y) = reversed ? (state.b, state.a) : (state.a, state.b);
        (uint256 tokenIn, uint256 tokenOut) = reversed ? (1, 0) : (0, 1);

        mapping(uint256 => uint256) storage held = balances[msg.sender];
        uint256 balance = held[tokenIn];
        if (balance < amountIn) revert InsufficientBalance();

        uint256 afterFee = amountIn * (1000 - state.feePerMille);
        out = afterFee * y / (x * 1000 + afterFee);
        if (out < minOut) revert OutTooSmall();
        if (out == 0 || out >= y) revert InsufficientLiquidity();
        uint256 newX = x + amountIn;
        uint256 newY = y - out;
        if ((newX * 1000 - amountIn * state.feePerMille) * (newY * 1000) < x * y * 1000 ** 2) revert K();
        if (newX > type(uint112).max) revert InsufficientLiquidity();

        (state.a, state.b) = reversed ? (uint112(newY), uint112(newX)) : (uint112(newX), uint112(newY));
        pools[pool] = state;
        held[tokenIn] = balance - amountIn;
        held[tokenOut] += out;
        emit Swap(pool, msg.sender, reversed, amountIn, out);
    }
}
