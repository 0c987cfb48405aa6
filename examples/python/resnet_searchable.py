"""A residual network for small images in plain PyTorch (He et al. 2016, section 4.2), trained on the digits."""

import archlang as al
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    def __init__(self, channels, width, stride, kernel):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != width:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, depths, width, kernel, classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        blocks, channels = [], width
        for stage, depth in enumerate(depths):
            for place in range(depth):
                stride = 2 if stage and not place else 1
                blocks.append(Block(channels, width * 2**stage, stride, kernel))
                channels = width * 2**stage
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def data():
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    return images[:1400], torch.tensor(digits.target[:1400]), images[1400:], torch.tensor(digits.target[1400:])


def train(model, epochs=2):
    images, labels, test_images, test_labels = data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    model.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64):
            loss = functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        return (model(test_images).argmax(1) == test_labels).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(0)
    space = al.space_of(lambda: ResNet([al.integer(1, 3) for _ in range(3)], al.choose([8, 16, 32]), al.choose([3, 5])))
    print(al.search(space, train, maximize="value", trials=10).best.choices)
