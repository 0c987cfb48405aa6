"""A convolutional network for digits in plain TensorFlow and Keras."""

import archlang as al
import keras
from sklearn.datasets import load_digits


def build():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(al.integer(8, 32, step=8), al.choose([3, 5]), padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10),
        ]
    )


def train(model, epochs=2):
    digits = load_digits()
    images, labels = digits.images[..., None].astype("float32") / 16, digits.target
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(2e-3), loss=loss, metrics=["accuracy"])
    model.fit(images[:1400], labels[:1400], batch_size=64, epochs=epochs, verbose=0)
    return model.evaluate(images[1400:], labels[1400:], verbose=0)[1]


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    print(al.search(al.space_of(build), train, maximize="value", trials=10).best.choices)
